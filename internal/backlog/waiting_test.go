package backlog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// A read that fails fails for all who wait for it: those whose queues it asked for, and those whose turn would be next.
func TestWhoWaitsForAReadThatFailsIsToldSo(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		b.cadence.Budget = 1
		names := []string{"first", "second", "third"}
		for _, name := range names {
			b.Watch(name, watchOf("x", name))
		}
		wait(time.Second)
		x := b.brokers["x"]
		x.set(func() { x.before = func([]broker.Query) { <-time.After(time.Second) } })
		x.push("first", 1)
		settle()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		errs := make(chan error, len(names))
		for _, name := range names { // during a read, so that they are all in the next
			go func() { errs <- b.Read(ctx, name).Err }()
		}
		settle()
		x.set(func() { x.down = errDown })
		for range names {
			if err := <-errs; !errors.Is(err, errDown) {
				t.Errorf("who waited is told %v, want %v", err, errDown)
			}
		}
		wait(time.Minute) // nobody is told twice, at one of the next failures
		x.set(func() { x.before, x.down, x.opens = nil, nil, x.closes })
		wait(6 * time.Second)
		for _, name := range names {
			if r := b.Read(t.Context(), name); r.Err != nil {
				t.Errorf("when it answers: %v", r.Err)
			}
		}
	})
}

// The default time-out of a read is met exactly, and who does not wait so long has the last good depth beside the error.
func TestHowLongAReadMayTake(t *testing.T) {
	for waits, want := range map[time.Duration]struct {
		took time.Duration
		err  error
	}{
		time.Second:     {time.Second, context.DeadlineExceeded},
		6 * time.Second: {5 * time.Second, context.DeadlineExceeded},
	} {
		inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
			x := b.brokers["x"]
			x.push("q", 3)
			b.Watch("a", watchOf("x", "q"))
			wait(100 * time.Millisecond)
			x.set(func() { x.hang = true })
			ctx, cancel := context.WithTimeout(t.Context(), waits)
			defer cancel()
			began := time.Now()
			r := b.Read(ctx, "a")
			if took := time.Since(began); took != want.took || !errors.Is(r.Err, want.err) || r.Depth.Waiting != broker.CountOf(3) {
				t.Errorf("who waits %s has after %s %+v, want 3 beside %v after %s", waits, took, r, want.err, want.took)
			}
		})
	}
}

// The last watch of a broker closes its connection, also where the watch goes on at another broker.
func TestTheLastWatchClosesTheConnection(t *testing.T) {
	ends := map[string]func(b *bubble){
		"it is forgotten":      func(b *bubble) { b.Forget("a") },
		"it goes on elsewhere": func(b *bubble) { b.Watch("a", watchOf("y", "q")) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
				b.Watch("a", watchOf("x", "q"))
				b.Watch("b", watchOf("x", "q"))
				wait(time.Second)
				b.Forget("b")
				settle()
				if opens, closes, _ := b.brokers["x"].counts(); opens != 1 || closes != 0 {
					t.Errorf("with one watch left: %d connections made, %d closed, want 1 and 0", opens, closes)
				}
				end(b)
				settle()
				if opens, closes, _ := b.brokers["x"].counts(); opens != 1 || closes != 1 {
					t.Errorf("with no watch left: %d connections made, %d closed, want 1 and 1", opens, closes)
				}
			})
		})
	}
}

// Where the health alone is wanted, the broker is asked for no queue.
func TestTheHealthAsksForNoQueue(t *testing.T) {
	inBubble(t, backlog.Options{PollInterval: time.Hour, SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		b.Keep("health", sourceAt("x"), true)
		settle()
		if diff := cmp.Diff([][]string{{}}, b.brokers["x"].reads); diff != "" {
			t.Errorf("queues in each read (-want +got):\n%s", diff)
		}
	})
}

// What is forgotten while it is read is not read again.
func TestWhatIsForgottenWhileItIsReadIsNotReadAgain(t *testing.T) {
	inBubble(t, backlog.Options{PollInterval: time.Hour, SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("a", watchOf("x", "q"))
		b.Watch("stays", watchOf("x", "r"))
		wait(time.Second)
		x.set(func() { x.reads, x.before = nil, func([]broker.Query) { b.Forget("a") } })
		x.push("q", 1)
		wait(time.Second)
		if diff := cmp.Diff([][]string{{"q"}}, x.reads); diff != "" {
			t.Errorf("reads (-want +got):\n%s", diff)
		}
	})
}
