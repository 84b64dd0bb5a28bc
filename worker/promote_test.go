package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/store"
)

// promoting is a store that has its own answer to who looks for due tasks.
type promoting struct {
	store.Store
	next time.Duration
	err  error
}

func (p promoting) Promote(context.Context) (time.Duration, error) { return p.next, p.err }

// Whatever becomes of the look for due tasks, and however many there are, those that wait are done meanwhile.
func TestDueTasksKeepNoOthersWaiting(t *testing.T) {
	for name, p := range map[string]promoting{
		"however many are due": {},
		"on an error":          {err: errNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.do("LPUSH", queue, "first", "second")
			done := make(chan string, 10)
			r := b.startOn(func(s store.Store) store.Store { p.Store = s; return p },
				func(_ context.Context, t *worker.Task) error { done <- string(t.Payload); return nil })
			for _, want := range []string{"first", "second"} {
				if got := receive(b, done, "task"); got != want {
					t.Errorf("the task is %q, want %q", got, want)
				}
			}
			b.awaitEmpty()
			r.cancel()
			r.left()
		})
	}
}

// looking is a store that counts how often due tasks are looked for.
type looking struct {
	store.Store
	looks atomic.Int32
}

func (l *looking) Promote(ctx context.Context) (time.Duration, error) {
	l.looks.Add(1)
	return l.Store.Promote(ctx)
}

// A worker whose hands are all busy has due tasks come to the queue, again and again: others may be idle.
func TestABusyWorkerLooksForDueTasks(t *testing.T) {
	b := newBench(t)
	begun, finish := make(chan struct{}, 10), make(chan struct{})
	l := &looking{}
	r := b.startOn(func(s store.Store) store.Store { l.Store = s; return l }, func(context.Context, *worker.Task) error {
		begun <- struct{}{}
		<-finish
		return nil
	})
	b.do("LPUSH", queue, "long")
	receive(b, begun, "task")
	before := l.looks.Load()
	for _, task := range []string{"due first", "due later"} {
		waiting := b.waiting()
		if _, err := worker.NewClient(b.redis).Enqueue(t.Context(), queue, []byte(task), worker.WithDelay(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		b.eventually(task, func() string {
			if n := b.waiting(); n <= waiting {
				return fmt.Sprintf("%d tasks wait after %d looks", n, l.looks.Load()-before)
			}
			return ""
		})
	}
	if n := l.looks.Load() - before; n > 10 {
		t.Errorf("it looked %d times", n)
	}
	close(finish)
	b.awaitEmpty()
	r.cancel()
	r.left()
}
