package backlog_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// gaps are the times between moments.
func gaps(moments []time.Time) (gaps []time.Duration) {
	for i := range len(moments) - 1 {
		gaps = append(gaps, moments[i+1].Sub(moments[i]))
	}
	return gaps
}

const ms = time.Millisecond

// The pause doubles until a connection has lasted as long as the longest pause. One good answer does not start it anew:
// a broker that answers once and closes is dialled ever less often, too.
func TestWhenABrokerIsDialledAgain(t *testing.T) {
	pauses := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}
	cases := map[string]struct {
		lasts time.Duration // how long a connection answers; 0 is never
		grows bool
	}{
		"it never answers":                             {0, true},
		"it answers once, and fails after a second":    {time.Second, true},
		"it answers for less than the longest pause":   {5*time.Second - 1, true},
		"it answers for as long as the longest pause":  {5 * time.Second, false},
		"it answers for longer than the longest pause": {time.Minute, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{Jitter: exactly, PollInterval: c.lasts, CredentialsInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.polled, x.lasts = true, 1
				if c.lasts == 0 {
					x.down = errDown
				}
				b.Watch("a", watchOf("x", "q"))
				wait(10 * time.Minute)
				want := make([]time.Duration, len(pauses))
				for i, pause := range pauses {
					if !c.grows {
						pause = pauses[0]
					}
					want[i] = c.lasts + pause
				}
				if diff := cmp.Diff(want, gaps(x.dials[:len(want)+1])); diff != "" {
					t.Errorf("times between two connections (-want +got):\n%s", diff)
				}
				x.set(func() { x.down, x.opens, x.closes = nil, len(x.rings), 0 })
			})
		})
	}
}

// New credentials are no failure: they are used at once, and nobody is woken.
func TestNewCredentialsAreUsedAtOnce(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly, SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		began := time.Now()
		lookUps := 0
		w := watchOf("x", "q")
		w.Source.Resolve = func(context.Context) (broker.Config, error) {
			if lookUps++; lookUps > 1 {
				return redis.Config{Address: "x", Password: broker.NewSecret("new")}, nil
			}
			return redis.Config{Address: "x"}, nil
		}
		b.Watch("a", w)
		b.Keep("health", w.Source, true)
		wait(time.Second)
		b.forgetWakes()
		wait(10 * time.Minute)
		if diff := cmp.Diff([]time.Time{began, began.Add(time.Minute)}, x.dials); diff != "" {
			t.Errorf("connections (-want +got):\n%s", diff)
		}
		if woken := b.wakes(); len(woken) > 0 {
			t.Errorf("woken: %v", woken)
		}
		if lookUps != 11 { // one for the first connection, one in each minute
			t.Errorf("%d look-ups in 10 minutes, want 11", lookUps)
		}
	})
}

// A look-up that never ends is a failure like another, and takes as long as a read.
func TestALookUpThatHangs(t *testing.T) {
	inBubble(t, backlog.Options{ReadTimeout: 3 * time.Second}, func(t *testing.T, b *bubble) {
		w := watchOf("x", "q")
		w.Source.Resolve = func(ctx context.Context) (broker.Config, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		b.Watch("a", w)
		began := time.Now()
		r := b.Read(t.Context(), "a")
		if took := time.Since(began); took != 3*time.Second || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v, want a time-out after 3 s", took, r.Err)
		}
	})
}

// After a read comes a pause: within the batch window where reads are quick, else longer, so that reads fill at most a
// fifth of the time.
func TestThePauseAfterARead(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0:                        10 * ms,
		2 * ms:                   10 * ms,
		2*ms + time.Microsecond:  5 * (2*ms + time.Microsecond),
		10 * ms:                  50 * ms,
		25 * ms:                  125 * ms,
		25*ms + time.Microsecond: 125*ms + time.Microsecond,
		time.Second:              1100 * ms,
	} {
		t.Run(took.String(), func(t *testing.T) {
			inBubble(t, backlog.Options{Jitter: exactly, SafetyInterval: time.Hour, CredentialsInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.before = func([]broker.Query) {
					<-time.After(took)
					x.push("q", 1)
				}
				b.Watch("a", watchOf("x", "q"))
				wait(4 * want)
				for _, got := range gaps(x.began) {
					if got != want {
						t.Errorf("%s between the starts of two reads, want %s", got, want)
					}
				}
				if n := len(x.began); n < 4 {
					t.Errorf("%d reads, want more", n)
				}
			})
		})
	}
}

// What ends is no failure of the broker: nobody is woken, and the last reading stays. Who still waits is told.
func TestTheEndIsNoFailure(t *testing.T) {
	for name, hang := range map[string]bool{"nothing is read": false, "a read is under way": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				x.push("q", 3)
				b.Watch("a", watchOf("x", "q"))
				b.Watch("b", watchOf("x", "r"))
				b.Keep("health", sourceAt("x"), true)
				wait(time.Second)
				b.forgetWakes()
				x.set(func() { x.hang = hang })
				var before backlog.Reading
				var group sync.WaitGroup
				group.Go(func() { before = b.Read(t.Context(), "a") })
				wait(time.Second)
				impatient, cancel := context.WithCancel(t.Context())
				group.Go(func() { b.Read(impatient, "a") })
				settle()
				cancel()
				b.forgetWakes() // of the readings that were requested
				b.stop()
				group.Wait()
				after := b.Read(t.Context(), "b")
				if (before.Err != nil) != hang || after.Err == nil || before.Depth.Waiting != broker.CountOf(3) || !after.Known {
					t.Errorf("who waited has %+v, who asks later has %+v", before, after)
				}
				if r := b.Last("a"); r.Err != nil || r.Depth.Waiting != broker.CountOf(3) {
					t.Errorf("the last reading is %+v", r)
				}
				if h := b.Health("x"); !h.Known || h.Err != nil {
					t.Errorf("the health is %+v", h)
				}
				if woken := b.wakes(); len(woken) > 0 {
					t.Errorf("woken: %v", woken)
				}
				b.Forget("a") // nobody is told again, least of all who has gone away
			})
		})
	}
}

// When Start has returned, nothing goes on: a look-up that does not heed its context is waited for.
func TestStartWaitsForWhatItBegan(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
		lookUps, ended := 0, 0
		w := watchOf("x", "q")
		w.Source.Resolve = func(context.Context) (broker.Config, error) {
			if lookUps++; lookUps > 1 {
				<-time.After(3 * time.Second)
			}
			ended++
			return redis.Config{Address: "x"}, nil
		}
		b.Watch("a", w)
		wait(61 * time.Second)
		b.stop()
		if lookUps != 2 || ended != 2 {
			t.Errorf("%d look-ups begun and %d ended, want 2", lookUps, ended)
		}
	})
}

// What is watched before the start is read from then on, and what is forgotten before it is not.
func TestWatchesBeforeTheStart(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		other := &bubble{byName: byName{backlog.New(backlog.Options{Notify: func(backlog.Key) {}})}, brokers: b.brokers}
		other.Watch("gone", watchOf("y", "q"))
		other.Forget("gone")
		other.Watch("stays", watchOf("x", "q"))
		var group sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		group.Go(func() { _ = other.Start(ctx) })
		if r := other.Read(t.Context(), "stays"); r.Err != nil || !r.Known {
			t.Errorf("the reading is %+v", r)
		}
		cancel()
		group.Wait()
		if opens, _, _ := b.brokers["y"].counts(); opens != 0 {
			t.Errorf("%d connections for what was forgotten", opens)
		}
	})
}

// Whatever is asked of a broker, and of whoever knows its credentials, is over with the answer: nothing that hangs on the
// question's context stays behind.
func TestAQuestionEndsWithItsAnswer(t *testing.T) {
	inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		w := watchOf("x", "q")
		w.Source.Resolve = func(ctx context.Context) (broker.Config, error) {
			x.set(func() { x.asked = append(x.asked, ctx) })
			return redis.Config{Address: "x"}, nil
		}
		b.Watch("a", w)
		wait(time.Second)
		// What hangs on a context of one's own does so by a goroutine, which the end of the bubble would find.
		ctx := ownContext{t.Context(), make(chan struct{})}
		if _, err := b.Holders(ctx, "x"); err != nil {
			t.Error(err)
		}
		if held, err := b.Held(ctx, keyOf("a"), []string{"w"}); err != nil || len(held) != 1 {
			t.Error(held, err)
		}
		x.set(func() { x.claimed = "another" })
		if _, err := b.Reclaim(ctx, "a", "w"); !errors.Is(err, backlog.ErrClaimPending) {
			t.Error(err)
		}
		if err := b.Claim(ctx, "x"); !errors.Is(err, backlog.ErrClaimPending) {
			t.Error(err)
		}
		wait(time.Millisecond)
		if n := len(x.asked); n != 8 { // the credentials, the claim, two reads, a search, a count, a return, the claim again
			t.Errorf("%d questions, want 8", n)
		}
		for i, ctx := range x.asked {
			if ctx.Err() == nil {
				t.Errorf("question %d is not over", i)
			}
		}
	})
}

type ownContext struct {
	context.Context
	done chan struct{}
}

func (c ownContext) Done() <-chan struct{} { return c.done }
