package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/store"
)

// hanging is a store whose broker does not answer while a task is waited for.
type hanging struct {
	store.Store
	hangs, answer chan struct{}
}

func (h *hanging) Take(context.Context, time.Duration) (store.Item, bool, error) {
	h.hangs <- struct{}{}
	<-h.answer
	return store.Item{}, false, nil
}

// A second signal ends the tasks in hand also while the intake waits for the broker.
func TestASecondSignalDoesNotWaitForTheBroker(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	killed, cut := make(chan struct{}), make(chan struct{})
	h := &hanging{hangs: make(chan struct{}, 1), answer: make(chan struct{})}
	h.Store = b.store()
	ended := make(chan error, 1)
	ctx := inject.With(t.Context(), inject.Broker{Queue: queue, DrainFile: b.drain, Store: h, Killed: killed})
	go func() {
		ended <- worker.Run(ctx, func(ctx context.Context, _ *worker.Task) error {
			<-ctx.Done()
			close(cut)
			return nil
		}, worker.WithConcurrency(2))
	}()
	receive(b, h.hangs, "waiting for the broker")
	close(killed)
	receive(b, cut, "end of the task")
	close(h.answer)
	if err := receive(b, ended, "end of the worker"); !errors.Is(err, worker.ErrKilled) {
		b.Errorf("Run ended with %v, want ErrKilled", err)
	}
}
