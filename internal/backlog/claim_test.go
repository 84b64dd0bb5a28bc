package backlog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// rivalry is a backlog at a broker, where another operator may have the claim.
type rivalry struct {
	*testing.T
	*bubble
	broker *fakeBroker
}

func inRivalry(t *testing.T, test func(*rivalry)) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		test(&rivalry{t, b, b.brokers["x"]})
	})
}

func (r *rivalry) has(process string) { r.broker.set(func() { r.broker.claimed = process }) }

// is checks what stands in the way of a return of tasks: "", "pending", or the reason.
func (r *rivalry) is(want string) {
	r.Helper()
	err := r.Claim(r.Context(), "x")
	got := ""
	switch {
	case errors.Is(err, backlog.ErrClaimPending):
		got = "pending"
	case err != nil:
		got = string(broker.ReasonOf(err))
	}
	if got != want {
		r.Errorf("%v, want %q", err, want)
	}
	moved, err := r.Reclaim(r.Context(), "w", "a")
	if (moved == 1 && err == nil) != (want == "") {
		r.Errorf("%d returned, %v; want that only with the claim", moved, err)
	}
}

func (r *rivalry) shows(want backlog.Claim) {
	r.Helper()
	got := r.Health("x").Claim
	if got.Known != want.Known || broker.ReasonOf(got.Err) != broker.ReasonOf(want.Err) {
		r.Errorf("shown is %+v, want %+v", got, want)
	}
}

func TestTheClaimIsRenewedWhileSomebodyMayReclaim(t *testing.T) {
	inRivalry(t, func(r *rivalry) {
		r.Watch("w", watchOf("x", "q"))
		wait(61 * time.Second)
		r.is("")
		r.shows(backlog.Claim{Known: true})
		if n := r.broker.claims; n < 11 || n > 15 {
			t.Errorf("renewed %d times in a minute, want one in 5 s", n)
		}
		r.broker.set(func() { r.broker.claims = 0 })
		declined := watchOf("x", "q")
		declined.Reclaims = false
		r.Watch("w", declined)
		wait(time.Hour)
		if n := r.broker.claims; n != 0 {
			t.Errorf("renewed %d times while nobody may reclaim", n)
		}
	})
}

// The process before this one has left its claim. It ends by itself, and is taken within a second where a task waits for
// that. Nobody is told.
func TestATakeover(t *testing.T) {
	inRivalry(t, func(r *rivalry) {
		r.has("the one before")
		r.Watch("w", watchOf("x", "q"))
		r.Keep("health", sourceAt("x"), true)
		for range 30 {
			wait(time.Second)
			r.is("pending")
			r.shows(backlog.Claim{})
		}
		r.has("")
		wait(time.Second)
		r.is("")
		r.shows(backlog.Claim{Known: true})
	})
}

// Somebody renews a claim whom this control plane does not know. That is told, and neither of the two takes the other's
// tasks, also while the other is started anew.
func TestARival(t *testing.T) {
	rival := backlog.Claim{Known: true, Err: &broker.Error{Reason: broker.ReasonOtherOperator}}
	inRivalry(t, func(r *rivalry) {
		r.has("the rival")
		r.Watch("w", watchOf("x", "q"))
		r.Keep("health", sourceAt("x"), true)
		wait(50 * time.Second)
		r.is("pending")
		woken := r.wokenFor("health")
		wait(20 * time.Second)
		r.is(string(broker.ReasonOtherOperator))
		r.shows(rival)
		if n := r.wokenFor("health"); n != woken+1 {
			t.Errorf("who looks at its health was woken %d times, want once", n-woken)
		}
		r.has("") // it is started anew
		wait(9 * time.Minute)
		r.is(string(broker.ReasonOtherOperator))
		r.has("the rival, started anew")
		wait(10 * time.Second)
		r.has("") // it is gone for good
		wait(9*time.Minute + 40*time.Second)
		r.is(string(broker.ReasonOtherOperator))
		wait(time.Minute)
		r.is("")
		r.shows(backlog.Claim{Known: true})
	})
}

// A rival that says how often it renews its claim is known soon. So its pause, or a hand that deletes the claim, lets nobody
// in.
func TestARivalThatRenewsIsKnownSoon(t *testing.T) {
	for name, c := range map[string]struct {
		seen time.Duration // for how long it was seen to renew
		gone time.Duration // for how long nobody has the claim then
		want string
	}{
		"for as long as it takes to know": {25 * time.Second, 9 * time.Minute, string(broker.ReasonOtherOperator)},
		"for a moment":                    {8 * time.Second, 20 * time.Second, "pending"},
		"for a moment, and it has ended":  {8 * time.Second, 40 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inRivalry(t, func(r *rivalry) {
				r.broker.set(func() { r.broker.claimed, r.broker.renewed = "the rival", 1 })
				r.Watch("w", watchOf("x", "q"))
				wait(c.seen)
				r.has("")
				wait(c.gone)
				r.is(c.want)
			})
		})
	}
}

// Who starts where the process before it knew of a rival leaves the claim alone, though nobody has it now.
func TestARivalIsKnownFromTheStart(t *testing.T) {
	inRivalry(t, func(r *rivalry) {
		w := watchOf("x", "q")
		w.Source.HadRival = func() bool { return true }
		r.Watch("w", w)
		wait(9 * time.Minute)
		r.is(string(broker.ReasonOtherOperator))
		wait(2 * time.Minute)
		r.is("")
	})
}

// A process that was paused finds another with the claim. Nothing of it moves from then on.
func TestALostClaim(t *testing.T) {
	inRivalry(t, func(r *rivalry) {
		r.Watch("w", watchOf("x", "q"))
		wait(time.Second)
		r.is("")
		r.has("another")
		moved, err := r.Reclaim(r.Context(), "w", "a")
		if moved != 0 || !errors.Is(err, backlog.ErrClaimPending) {
			t.Errorf("%d returned, %v; want none, pending", moved, err)
		}
		wait(time.Second)
		r.is("pending")
	})
}

// Each way in which it is not known whose the claim is.
func TestTheClaimIsNotKnown(t *testing.T) {
	refused := &broker.Error{Reason: broker.ReasonPermissionDenied, Message: "NOPERM"}
	for name, c := range map[string]struct {
		change func(*fakeBroker)
		want   broker.Reason
		shown  backlog.Claim
	}{
		"the user may not": {func(x *fakeBroker) { x.refused = refused }, broker.ReasonPermissionDenied, backlog.Claim{Known: true, Err: refused}},
		"no answer in time": {func(x *fakeBroker) {
			x.refused = &broker.Error{Reason: broker.ReasonTimeout}
		}, broker.ReasonTimeout, backlog.Claim{}},
	} {
		t.Run(name, func(t *testing.T) {
			inRivalry(t, func(r *rivalry) {
				r.broker.set(func() { c.change(r.broker) })
				r.Watch("w", watchOf("x", "q"))
				wait(10 * time.Second)
				r.is(string(c.want))
				r.shows(c.shown)
				r.broker.set(func() { r.broker.refused = nil })
				wait(10 * time.Second)
				r.is("")
				r.shows(backlog.Claim{Known: true})
			})
		})
	}
	inRivalry(t, func(r *rivalry) {
		if err := r.Claim(r.Context(), "x"); err == nil {
			t.Error("nothing is watched, and it is claimed")
		}
		r.broker.down = errDown
		r.Watch("w", watchOf("x", "q"))
		wait(time.Second)
		if diff := cmp.Diff("the broker is not connected", r.Claim(r.Context(), "x").Error()); diff != "" {
			t.Error(diff)
		}
	})
}
