package workertest_test

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

var errBroken = errors.New("broken")

func TestRetriesAreSteppedThrough(t *testing.T) {
	b := workertest.New(t)
	attempts := make(chan int, 10)
	b.Start(func(_ context.Context, t *worker.Task) error {
		attempts <- t.Attempt
		return errBroken
	}, worker.WithRetries(2), worker.WithBackoff(func(failures int) time.Duration { return time.Duration(failures) * time.Hour }))
	b.Push("task")
	for attempt := 1; attempt <= 3; attempt++ {
		if got := <-attempts; got != attempt {
			t.Errorf("attempt %d, want %d", got, attempt)
		}
		if attempt < 3 {
			b.AwaitDelayed(1)
			b.Advance(time.Duration(attempt)*time.Hour - time.Second)
			if b.Delayed() != 1 {
				t.Errorf("it is tried again too early: %s", b)
			}
			b.Advance(time.Second)
		}
	}
	b.AwaitDead(1)
	if d := b.DeadLetters()[0]; d.Error != "broken" || d.Attempts != 3 || string(d.Payload) != "task" {
		t.Errorf("the dead letter is %+v", d)
	} else if took := d.Died.Sub(d.First); took != 3*time.Hour {
		t.Errorf("by the letter it took %s, want the 3 h of the two back-offs", took)
	}
}

func TestADrainFinishesWhatIsInHand(t *testing.T) {
	b := workertest.New(t)
	begun, finish := make(chan struct{}, 2), make(chan struct{})
	w := b.Start(func(ctx context.Context, _ *worker.Task) error {
		begun <- struct{}{}
		<-worker.Draining(ctx)
		<-finish
		return ctx.Err()
	})
	b.Push("first", "second")
	<-begun
	w.Grant("ScaleDown")
	close(finish)
	w.Wait()
	if got := b.Done(); !slices.Equal(got, []string{"first"}) || b.Waiting() != 1 || b.InHand() != 0 {
		t.Errorf("done %v: %s", got, b)
	}
}

func TestAKilledWorkersTasksAreTakenUp(t *testing.T) {
	b := workertest.New(t)
	begun := make(chan *worker.Task, 10)
	hang := func(ctx context.Context, t *worker.Task) error {
		begun <- t
		<-ctx.Done()
		return nil // which is not acknowledged: the process is gone
	}
	w := b.Start(hang)
	b.Push("task")
	first := <-begun
	w.Kill()
	if b.InHand() != 1 || len(b.Done()) != 0 {
		t.Errorf("after the kill: %s", b)
	}
	var again *worker.Task
	b.Start(func(_ context.Context, t *worker.Task) error { again = t; return nil })
	b.AwaitDone(1)
	if again.ID != first.ID || first.Attempt != 1 || again.Attempt != 2 {
		t.Errorf("attempts %d and %d of %s and %s", first.Attempt, again.Attempt, first.ID, again.ID)
	}
}

func TestTheTasksOfAPodThatIsGoneAreGivenBack(t *testing.T) {
	b := workertest.New(t)
	begun := make(chan struct{}, 2)
	w := b.StartIn("gone", func(ctx context.Context, _ *worker.Task) error {
		begun <- struct{}{}
		<-ctx.Done()
		return nil
	}, worker.WithConcurrency(2))
	b.Push("first", "second")
	<-begun
	<-begun
	w.Kill()
	b.Push("third")
	b.Reclaim("gone")
	if b.InHand() != 0 || b.Waiting() != 3 {
		t.Errorf("handed back: %s", b)
	}
	b.StartIn("next", func(context.Context, *worker.Task) error { return nil })
	b.AwaitDone(3)
	if got := b.Done(); !slices.Equal(got, []string{"first", "second", "third"}) {
		t.Errorf("done in the order %v", got)
	}
}

func TestAWorkerThatIsKeptAlive(t *testing.T) {
	b := workertest.New(t)
	w := b.Start(func(context.Context, *worker.Task) error { return nil }, worker.WithConcurrency(3))
	for range 100 {
		b.Push("a", "b", "c")
	}
	b.AwaitDone(300)
	w.Grant("Rollout")
	w.Wait()
}

// A user's test suite has many drains and kills: none of them waits for a clock.
func TestNothingIsWaitedForInRealTime(t *testing.T) {
	// Go's own goroutine for signals is not to begin in the bubble.
	outside := make(chan os.Signal, 1)
	signal.Notify(outside, syscall.SIGTERM)
	defer signal.Stop(outside)
	// Time goes on only when everybody waits for it. golang/go#78156: on more processors, the race detector may end the
	// process.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		b := workertest.New(t)
		fine := func(context.Context, *worker.Task) error { return nil }
		const times = 20
		began := time.Now()
		for i := range times {
			w := b.Start(fine)
			b.Push("task")
			b.AwaitDone(i + 1)
			w.Grant("ScaleDown")
			w.Wait()
			b.Start(fine).Kill()
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("%d drains and kills waited for %s", times, waited)
		}
	})
}

// Tasks that are done while the test looks elsewhere do not make it fail.
func TestMoreThanAwaitedIsEnough(t *testing.T) {
	b := workertest.New(t)
	b.Start(func(_ context.Context, t *worker.Task) error {
		if string(t.Payload) == "bad" {
			return worker.Permanent(errBroken)
		}
		return nil
	})
	b.Push("a", "bad", "b", "bad")
	b.AwaitDone(2)
	b.AwaitDead(2)
	b.AwaitDone(1)
	b.AwaitDead(1)
}

// A time-out comes when the clock has it, and no earlier.
func TestATimeoutIsSteppedThrough(t *testing.T) {
	b := workertest.New(t)
	begun, ended := make(chan context.Context), make(chan error, 1)
	b.Start(func(ctx context.Context, _ *worker.Task) error {
		begun <- ctx
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		<-child.Done()
		ended <- errors.Join(child.Err(), context.Cause(child))
		return child.Err()
	}, worker.WithTimeout(time.Hour), worker.WithRetries(0))
	b.Push("task")
	ctx := <-begun
	if deadline, known := ctx.Deadline(); !known || time.Until(deadline) < 59*time.Minute {
		t.Errorf("the deadline is %s (%t)", deadline, known)
	}
	b.Advance(time.Hour - time.Second)
	if ctx.Err() != nil {
		t.Errorf("a second too early: %v", ctx.Err())
	}
	b.Advance(time.Second)
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, worker.ErrTimeout) {
		t.Errorf("the handler saw %v", err)
	}
	b.AwaitDead(1)
}

// A handler sees what a Client's options say.
func TestEnqueue(t *testing.T) {
	b := workertest.New(t)
	tasks := make(chan *worker.Task, 10)
	w := b.Start(func(_ context.Context, t *worker.Task) error { tasks <- t; return nil })
	id, err := b.Enqueue("report", worker.WithID("r-1"), worker.WithHeader("tenant", "acme"),
		worker.WithDelay(time.Hour), worker.WithUnique("daily", 48*time.Hour))
	if id != "r-1" || err != nil {
		t.Fatalf("the identifier is %q (%v)", id, err)
	}
	if id, err := b.Enqueue("report", worker.WithUnique("daily", time.Hour)); id != "" || !errors.Is(err, worker.ErrDuplicate) {
		t.Errorf("the second is %q (%v)", id, err)
	}
	if _, err := b.Enqueue("report", worker.WithID("no identifier")); err == nil {
		t.Error("a bad identifier is accepted")
	}
	if b.Delayed() != 1 || len(tasks) != 0 {
		t.Errorf("it does not wait: %s", b)
	}
	b.Advance(time.Hour)
	if got := <-tasks; got.ID != "r-1" || string(got.Payload) != "report" || len(got.Headers) != 1 || got.Headers["tenant"] != "acme" || got.Attempt != 1 {
		t.Errorf("the task is %+v", got)
	}
	b.AwaitDone(1)
	w.Grant("ScaleDown") // so that the next stays in the queue
	w.Wait()
	for _, wait := range []time.Duration{0, time.Minute} { // it is done, and later its time is over
		b.Advance(wait)
		if _, err := b.Enqueue("report", worker.WithUnique("daily", time.Minute)); err != nil {
			t.Errorf("after %s: %v", wait, err)
		}
	}
}

func TestAUniquenessOutlastsTheDelay(t *testing.T) {
	b := workertest.New(t)
	opts := []worker.EnqueueOption{worker.WithUnique("report", time.Second), worker.WithDelay(3 * time.Second)}
	for _, step := range []struct {
		advance time.Duration
		want    error
	}{
		{want: nil},
		{advance: 2 * time.Second, want: worker.ErrDuplicate},                 // it waits
		{advance: 2*time.Second - time.Nanosecond, want: worker.ErrDuplicate}, // it is due since almost a second
		{advance: time.Nanosecond, want: nil},
	} {
		b.Advance(step.advance)
		if _, err := b.Enqueue("report", opts...); !errors.Is(err, step.want) {
			t.Errorf("after %s more, enqueuing says %v, want %v", step.advance, err, step.want)
		}
	}
}
