package worker_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/redislist"
	"github.com/quickube/qscaler/worker/workertest"
)

// A task that kills its worker each time ends as a dead letter, and only it: not what was reserved ahead beside
// it, and not what was done and not acknowledged yet.
func TestOnlyTheTaskThatKillsIsGivenUp(t *testing.T) {
	for name, opts := range map[string][]worker.Option{
		"no retries, one at a time": {worker.WithRetries(0)},
		"no retries":                {worker.WithRetries(0), worker.WithConcurrency(10)},
		"two retries":               {worker.WithRetries(2), worker.WithConcurrency(10)},
	} {
		t.Run(name, func(t *testing.T) {
			b := workertest.New(t)
			const innocents, mostKills = 1000, 6
			payloads := slices.Repeat([]string{"innocent"}, innocents)
			b.Push(slices.Insert(payloads, innocents/2, "poison")...)
			hit := make(chan struct{}, 1)
			for kills := 0; len(b.DeadLetters()) == 0; {
				w := b.Start(func(ctx context.Context, k *worker.Task) error {
					if string(k.Payload) == "poison" {
						hit <- struct{}{}
						<-ctx.Done()
					}
					return nil
				}, opts...)
				for killed := false; !killed && len(b.DeadLetters()) == 0; {
					select {
					case <-hit:
						w.Kill()
						killed = true
						if kills++; kills > mostKills {
							t.Fatalf("it has killed %d workers, and is no dead letter", kills)
						}
					case <-time.After(10 * time.Millisecond):
					}
				}
			}
			b.AwaitDone(innocents)
			if letters := b.DeadLetters(); len(letters) != 1 || string(letters[0].Payload) != "poison" {
				t.Errorf("%d letters, the first of %q; want one, of poison", len(letters), letters[0].Payload)
			}
		})
	}
}

func suspectElement(id string) string {
	return redislist.Task{ID: id, Lost: 2, First: time.Now(), Payload: id}.Element()
}

// A second signal ends a suspect as any other task.
func TestASuspectIsKilledAtOnce(t *testing.T) {
	b := workertest.New(t)
	begun := make(chan struct{}, 1)
	w := b.Start(func(ctx context.Context, _ *worker.Task) error {
		begun <- struct{}{}
		<-ctx.Done()
		return nil
	}, worker.WithConcurrency(5))
	b.Push(suspectElement("suspect"))
	<-begun
	w.Kill() // which fails the test if the worker does not end
}

// A worker that has something else in hand goes on with other tasks, and leaves a suspect to one that has not.
func TestASuspectIsLeftToWhoIsIdle(t *testing.T) {
	b := workertest.New(t)
	begun, finish := make(chan string, 10), make(chan struct{})
	busy := b.StartIn("pod-0", func(_ context.Context, k *worker.Task) error {
		begun <- string(k.Payload)
		<-finish
		return nil
	}, worker.WithConcurrency(10))
	b.Push("slow")
	<-begun
	b.Push(suspectElement("suspect"))
	b.AwaitDelayed(1)
	b.Push("other")
	if got := <-begun; got != "other" {
		t.Errorf("%s was begun, want the other task", got)
	}
	busy.Grant("ScaleDown")
	<-time.After(600 * time.Millisecond) // it takes no more
	b.StartIn("pod-1", func(context.Context, *worker.Task) error { return nil })
	b.Advance(time.Second)
	b.AwaitDone(1)
	close(finish)
	busy.Wait()
	b.AwaitDone(3)
}

// In a fleet that is never idle a suspect is done all the same.
func TestASuspectHasItsTurn(t *testing.T) {
	b := workertest.New(t)
	var inHand atomic.Int32
	done := make(chan int32, 1)
	stop := make(chan struct{})
	b.Start(func(_ context.Context, k *worker.Task) error {
		defer inHand.Add(-1)
		n := inHand.Add(1)
		if string(k.Payload) == "suspect" {
			done <- n
			return nil
		}
		<-time.After(60 * time.Millisecond)
		return nil
	}, worker.WithConcurrency(3))
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				b.Push("task")
				b.Advance(time.Second)
			}
		}
	}()
	defer close(stop)
	b.Push(suspectElement("suspect"))
	select {
	case n := <-done:
		if n != 1 {
			t.Errorf("%d tasks were in hand with it", n-1)
		}
	case <-time.After(patience):
		t.Fatal("it was never done")
	}
}
