package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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
						b.Advance(time.Second) // those that were put off
					}
				}
			}
			for range 100 {
				b.Advance(time.Second)
				<-time.After(time.Millisecond)
			}
			b.AwaitDone(innocents)
			if letters := b.DeadLetters(); len(letters) != 1 || string(letters[0].Payload) != "poison" {
				t.Errorf("%d letters, the first of %q; want one, of poison", len(letters), letters[0].Payload)
			}
		})
	}
}

func suspectElement(id string) string {
	return redislist.Task{ID: id, Crashed: 2, First: time.Now(), Payload: id}.Element()
}

// A second SIGINT ends a suspect as any other task.
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

// A suspect is begun at once beside other tasks, however long those take, and others are begun while it is under way.
func TestASuspectIsDoneBesideOtherTasks(t *testing.T) {
	b := workertest.New(t)
	begun, finish := make(chan string, 10), make(chan struct{})
	b.Start(func(_ context.Context, k *worker.Task) error {
		begun <- string(k.Payload)
		<-finish
		return nil
	}, worker.WithConcurrency(3))
	defer close(finish)
	for _, task := range []string{"long", "suspect", "other"} {
		if task == "suspect" {
			b.Push(suspectElement(task))
		} else {
			b.Push(task)
		}
		select {
		case got := <-begun:
			if got != task {
				t.Errorf("%s was begun, want %s", got, task)
			}
		case <-time.After(longestWait):
			t.Fatalf("%s is not begun", task)
		}
	}
}

// A worker has places for half of its suspects, by the one that has ended the most workers, and leaves the others to
// whoever has a place.
func TestThePlacesOfSuspects(t *testing.T) {
	for name, test := range map[string]struct {
		concurrency, retries int
		crashed              []int
		begun                int
	}{
		"two ends, half of the hands":           {concurrency: 8, retries: 10, crashed: slices.Repeat([]int{2}, 6), begun: 4},
		"three ends, a quarter":                 {concurrency: 8, retries: 10, crashed: slices.Repeat([]int{3}, 6), begun: 2},
		"four ends, one":                        {concurrency: 8, retries: 10, crashed: slices.Repeat([]int{4}, 6), begun: 1},
		"many ends, one":                        {concurrency: 8, retries: 100, crashed: slices.Repeat([]int{90}, 6), begun: 1},
		"the worst under way bounds them":       {concurrency: 8, retries: 10, crashed: []int{3, 2, 2, 2}, begun: 2},
		"the worst does not join many":          {concurrency: 8, retries: 10, crashed: []int{2, 2, 4}, begun: 2},
		"one end, all hands":                    {concurrency: 4, retries: 10, crashed: slices.Repeat([]int{1}, 6), begun: 4},
		"no attempt left, one":                  {concurrency: 8, retries: 1, crashed: slices.Repeat([]int{2}, 4), begun: 1},
		"no attempt left after one end, one":    {concurrency: 8, retries: 0, crashed: slices.Repeat([]int{1}, 4), begun: 1},
		"a worker that does one at a time, one": {concurrency: 1, retries: 10, crashed: slices.Repeat([]int{2}, 3), begun: 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := workertest.New(t)
			begun, finish := make(chan string, len(test.crashed)), make(chan struct{})
			for i, crashed := range test.crashed {
				id := fmt.Sprint("s", i)
				b.Push(redislist.Task{ID: id, Crashed: crashed, First: time.Now(), Payload: id}.Element())
			}
			b.Start(func(_ context.Context, k *worker.Task) error {
				begun <- string(k.Payload)
				<-finish
				return nil
			}, worker.WithConcurrency(test.concurrency), worker.WithRetries(test.retries))
			for range test.begun {
				<-begun
			}
			if all := min(test.concurrency, len(test.crashed)); test.begun < all {
				b.AwaitDelayed(len(test.crashed) - test.begun)
			}
			if more := len(begun); more > 0 {
				t.Errorf("%d suspects more than %d are under way", more, test.begun)
			}
			close(finish)
			for done := 0; done < len(test.crashed); done = len(b.Done()) {
				b.Advance(time.Second)
				<-time.After(time.Millisecond)
			}
		})
	}
}

// The task that kills is found by halves: those that were in hand with it are done after as many ends as the
// concurrency has binary digits, while the worker does other tasks.
func TestTheTaskThatKillsIsFoundByHalves(t *testing.T) {
	b := workertest.New(t)
	const concurrency, mostKills = 16, 2 + 4 // two until all are suspects, and then 8, 4, 2 and 1 at a time
	for i := range concurrency - 1 {
		b.Push(fmt.Sprint("innocent", i))
	}
	b.Push("poison")
	kills := 0
	for b.InHand()+b.Waiting()+b.Delayed() > 1 || kills == 0 {
		begun, hit, finish := make(chan struct{}, concurrency), make(chan struct{}, 1), make(chan struct{})
		w := b.Start(func(ctx context.Context, k *worker.Task) error {
			begun <- struct{}{}
			if string(k.Payload) == "poison" {
				hit <- struct{}{}
				<-ctx.Done()
			}
			<-finish
			return nil
		}, worker.WithConcurrency(concurrency))
		for poisoned := false; !poisoned; {
			select {
			case <-hit:
				poisoned = true
			case <-time.After(20 * time.Millisecond): // all that have a place are under way: they end, and others have it
				select {
				case finish <- struct{}{}:
				default:
				}
				b.Advance(time.Second)
			}
		}
		for kills == 0 && len(begun) < concurrency { // all are in hand once
			<-time.After(time.Millisecond)
		}
		w.Kill()
		close(finish)
		if kills++; kills > mostKills {
			t.Fatalf("it has killed %d workers, and not all others are done: %s", kills, b)
		}
	}
	if done := len(b.Done()); done != concurrency-1 {
		t.Errorf("%d are done, want %d", done, concurrency-1)
	}
}

// A task whose attempt ends, with an error or handed back, did not kill its worker: it is no suspect any more, and its
// attempts count on.
func TestASuspectIsCleared(t *testing.T) {
	for name, test := range map[string]struct {
		end  error
		then int
	}{
		"by an error":        {end: errors.New("503"), then: 6},
		"by handing it back": {end: worker.ErrHandBack, then: 5},
	} {
		t.Run(name, func(t *testing.T) {
			b := workertest.New(t)
			var ended sync.Map
			attempts, finish := make(chan int, 10), make(chan struct{})
			b.Start(func(_ context.Context, k *worker.Task) error {
				if _, had := ended.LoadOrStore(k.ID, true); !had {
					return test.end
				}
				attempts <- k.Attempt
				<-finish // so that both are under way at once, which two suspects are not here
				return nil
			}, worker.WithConcurrency(2))
			for _, id := range []string{"a", "b"} {
				b.Push(redislist.Task{ID: id, Crashed: 4, First: time.Now(), Payload: id}.Element())
			}
			for deadline := time.Now().Add(longestWait); len(attempts) < 2; b.Advance(time.Minute) {
				if <-time.After(5 * time.Millisecond); time.Now().After(deadline) {
					t.Fatalf("they are not under way at once: %s", b)
				}
			}
			close(finish)
			b.AwaitDone(2)
			for range 2 {
				if n := <-attempts; n != test.then {
					t.Errorf("the next attempt is number %d, want %d", n, test.then)
				}
			}
		})
	}
}
