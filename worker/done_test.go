package worker_test

import (
	"context"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/store"
)

// asking tells of each first look at the list whether the worker is to leave.
type asking struct {
	store.Store
	leaving chan bool
}

func (a asking) Held(ctx context.Context, before store.Page) (store.Page, error) {
	select {
	case <-worker.Draining(ctx):
		a.leaving <- true
	default:
		a.leaving <- false
	}
	return a.Store.Held(ctx, before)
}

// A context that is done before Run is known before the first step: nothing is taken, however quick the broker is.
func TestAContextThatIsDoneFromTheStart(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	const times = 50 // it was a matter of luck
	for range times {
		a := asking{b.store(), make(chan bool, 10)}
		ctx := inject.With(ctx, inject.Broker{Queue: queue, DrainFile: b.drain, Store: a})
		err := worker.Run(ctx, func(context.Context, *worker.Task) error { t.Error("it took a task"); return nil }, quiet())
		if err != nil || !<-a.leaving {
			t.Fatalf("it did not know that it is to leave (%v)", err)
		}
	}
	if b.waiting() != 1 {
		t.Errorf("%d tasks wait, want 1", b.waiting())
	}
}
