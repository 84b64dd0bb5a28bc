package backlog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// A broker is asked for the claim once a second at the most, however many tasks wait for it, and not while it is ours.
func TestHowOftenAClaimIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		claimed string
		after   time.Duration
		asks    int
	}{
		"just asked":                  {"the one before", time.Second - 1, 0},
		"asked a second ago":          {"the one before", time.Second, 1},
		"it is ours":                  {"", time.Second - 1, 0},
		"it is ours since a while":    {"", 4 * time.Second, 0},
		"it has ended in this moment": {"ends", time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.claimed = c.claimed
				b.Watch("w", watchOf("x", "q"))
				wait(c.after)
				x.set(func() {
					x.claims = 0
					if c.claimed == "ends" {
						x.claimed = ""
					}
				})
				for range 100 {
					if err := b.Claim(t.Context(), "x"); (err == nil) != (c.claimed != "the one before") {
						t.Errorf("claiming: %v", err)
					}
				}
				if x.claims != c.asks {
					t.Errorf("asked %d times, want %d", x.claims, c.asks)
				}
			})
		})
	}
}

// Whoever keeps an eye on a broker is woken when it is known whose the claim is, and whoever may have tasks returned is
// where somebody has waited for it.
func TestWhomTheClaimWakes(t *testing.T) {
	refused := &broker.Error{Reason: broker.ReasonPermissionDenied, Message: "NOPERM"}
	awaited := func(b *bubble, _ *fakeBroker) { b.Server("x") }
	ours := func(_ *bubble, x *fakeBroker) { x.set(func() { x.claimed, x.refused = "this-one", nil }) }
	others := func(_ *bubble, x *fakeBroker) { x.set(func() { x.claimed, x.refused = "another", nil }) }
	fails := func(_ *bubble, x *fakeBroker) { x.set(func() { x.refused = refused }) }
	nothing := func(*bubble, *fakeBroker) {}
	steps := func(s ...func(*bubble, *fakeBroker)) []func(*bubble, *fakeBroker) { return s }
	for name, c := range map[string]struct {
		before func(*bubble, *fakeBroker)
		steps  []func(*bubble, *fakeBroker)
		want   []string // woken after the last step
	}{
		"it comes":                              {others, steps(ours), []string{"health"}},
		"it comes, awaited":                     {others, steps(awaited, ours), []string{"health", "w"}},
		"it comes, was awaited, and stays":      {others, steps(awaited, ours, nothing), nil},
		"it stays":                              {ours, steps(nothing), nil},
		"it is another's for now":               {ours, steps(others), nil},
		"it is another's for now, and back":     {ours, steps(others, ours), nil},
		"it is back, awaited":                   {ours, steps(others, awaited, ours), []string{"health", "w"}},
		"it is refused":                         {ours, steps(fails), []string{"health"}},
		"it is refused, awaited":                {others, steps(awaited, fails), []string{"health", "w"}},
		"it is refused as before":               {ours, steps(fails, nothing), nil},
		"it is refused as before, and awaited":  {ours, steps(fails, awaited, nothing), nil},
		"it comes after a refusal":              {fails, steps(ours), []string{"health"}},
		"it comes after a refusal, and awaited": {fails, steps(awaited, ours), []string{"health", "w"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				c.before(b, x)
				b.Watch("w", watchOf("x", "q"))
				b.Keep("health", sourceAt("x"), true)
				declines := watchOf("x", "q")
				declines.Reclaims = false
				b.Watch("declines", declines)
				wait(broker.ClaimRenewal + time.Second)
				for _, step := range c.steps {
					b.forgetWakes()
					step(b, x)
					wait(broker.ClaimRenewal)
				}
				var woken []string
				for _, key := range b.wakes() {
					woken = append(woken, key.Name)
				}
				if diff := cmp.Diff(c.want, woken); diff != "" {
					t.Errorf("woken (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Without knowing under which claim, nothing is asked of a broker and nothing is returned.
func TestWhoCannotSayItsClaimReturnsNothing(t *testing.T) {
	unknown := errors.New("the namespace kube-system cannot be read")
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		w := watchOf("x", "q")
		w.Source.Claim = func(context.Context) (broker.Claim, error) { return broker.Claim{}, unknown }
		b.Watch("w", w)
		wait(time.Second)
		moved, err := b.Reclaim(t.Context(), "w", "a")
		if moved != 0 || !errors.Is(err, unknown) || len(x.reclaimed) > 0 {
			t.Errorf("%d returned, %v, asked for %v; want none, and why", moved, err, x.reclaimed)
		}
		if err := b.Claim(t.Context(), "x"); !errors.Is(err, unknown) || x.claims > 0 {
			t.Errorf("%v after %d questions, want %v after none", err, x.claims, unknown)
		}
	})
}

// Each source has a mark of its own on the claim, and says when its keys may last have become others.
func TestWhatSourcesSee(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(b *bubble, x *fakeBroker)
		changed bool
	}{
		"nothing happens":     {func(*bubble, *fakeBroker) {}, false},
		"a queue rings":       {func(_ *bubble, x *fakeBroker) { x.push("q", 1) }, false},
		"the server says all": {func(_ *bubble, x *fakeBroker) { x.ringAll() }, true},
		"the connection was made anew": {func(_ *bubble, x *fakeBroker) {
			x.set(func() { x.down = errDown })
			x.push("q", 1)
			settle()
			x.set(func() { x.down, x.opens = nil, x.closes })
			wait(100 * ms)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
				b.Watch("x", watchOf("x", "q"))
				b.Watch("y", watchOf("y", "q"))
				wait(time.Second)
				c.change(b, b.brokers["x"])
				at := time.Now()
				settle()
				got := []backlog.Server{b.Server("x"), b.Server("y"), b.Server("z")}
				want := []backlog.Server{{Keys: "redis x, database 0, mark 1"}, {Keys: "redis y, database 0, mark 2"}, {}}
				if c.changed {
					want[0].Changed = at
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
