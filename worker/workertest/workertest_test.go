package workertest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
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
