package worker_test

import (
	"context"
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
