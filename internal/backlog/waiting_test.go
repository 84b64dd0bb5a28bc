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

// The default time-out of a read is met exactly. Who has requested it has the last good depth beside the error.
func TestHowLongAReadMayTake(t *testing.T) {
	const timeout = 5 * time.Second
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.push("q", 3)
		b.Watch("a", watchOf("x", "q"))
		wait(100 * time.Millisecond)
		x.set(func() { x.hang = true })
		began := time.Now()
		r := b.Read(t.Context(), "a")
		if took := time.Since(began); took != timeout || !errors.Is(r.Err, context.DeadlineExceeded) || r.Depth.Waiting != broker.CountOf(3) {
			t.Errorf("after %s: %+v, want 3 beside a time-out after %s", took, r, timeout)
		}
	})
}

// Who requests a reading does not wait for it, and is woken when it is there, whatever it says: no reading as such matters
// to this watcher.
func TestWhoRequestsAReadingIsWokenWhenItIsThere(t *testing.T) {
	cases := map[string]struct {
		change func(x *fakeBroker)
		took   time.Duration
		err    error
	}{
		"it says nothing new":                  {func(*fakeBroker) {}, 0, nil},
		"the broker takes 2 s for each answer": {func(x *fakeBroker) { x.before = func([]broker.Query) { <-time.After(2 * time.Second) } }, 2 * time.Second, nil},
		"the broker does not answer":           {func(x *fakeBroker) { x.hang = true }, 5 * time.Second, context.DeadlineExceeded},
		"the queue cannot be read any more":    {func(x *fakeBroker) { x.refuses = map[string]error{"q": errDown} }, 0, errDown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{SafetyInterval: time.Hour}, func(t *testing.T, b *bubble) {
				x := b.brokers["x"]
				w := watchOf("x", "q")
				w.Significant = nil
				b.Watch("a", w)
				wait(time.Second)
				b.forgetWakes()
				x.set(func() { c.change(x) })
				began := time.Now()
				request := b.Request("a")
				if took := time.Since(began); took > 0 {
					t.Errorf("the request took %s", took)
				}
				wait(c.took - 1)
				if n := b.wokenFor("a"); c.took > 0 && (n > 0 || len(request) > 0) {
					t.Errorf("before the answer: woken %d times, %d readings", n, len(request))
				}
				wait(1 + ms)
				if n := b.wokenFor("a"); n != 1 || len(request) != 1 {
					t.Fatalf("after the answer: woken %d times, %d readings; want 1 and 1", n, len(request))
				}
				if r := <-request; r.ReadAt.Before(began) && c.err == nil || !errors.Is(r.Err, c.err) {
					t.Errorf("the reading is %+v, want one that began after the request, with the error %v", r, c.err)
				}
			})
		})
	}
}

// A queue that comes to be watched at a broker that is known to fail cannot be read, from the beginning.
func TestAQueueOfABrokerThatFailsHasFailed(t *testing.T) {
	inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		b.Watch("stays", watchOf("x", "q"))
		b.Watch("moves", watchOf("x", "q"))
		wait(time.Second)
		x.set(func() { x.down = errDown })
		x.ringAll()
		wait(time.Second)
		since := b.Health("x").Since
		b.Watch("new", watchOf("x", "r"))
		b.Watch("moves", watchOf("x", "r"))
		for _, name := range []string{"new", "moves"} {
			if r := b.Last(name); r.Known || !errors.Is(r.Err, errDown) || !r.ErrSince.Equal(since) {
				t.Errorf("%s: %+v, want none, with the error of the broker", name, r)
			}
		}
		x.set(func() { x.down, x.opens = nil, x.closes })
		wait(6 * time.Second)
		if r := b.Last("new"); r.Err != nil || !r.Known {
			t.Errorf("when it answers: %+v", r)
		}
	})
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
