package worker_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/redisstore"
	"github.com/quickube/qscaler/worker/internal/store"
)

var errNoAnswer = errors.New("the answer did not arrive")

// forgetful is a store whose first answers do not arrive.
type forgetful struct {
	store.Store
	reserved, adopted atomic.Bool
}

func (f *forgetful) Reserve(ctx context.Context, n int, ahead bool) ([]store.Item, error) {
	items, err := f.Store.Reserve(ctx, n, ahead)
	if len(items) > 0 && !f.reserved.Swap(true) {
		return nil, errNoAnswer
	}
	return items, err
}

func (f *forgetful) Adopt(ctx context.Context, listed store.Listed) (store.Item, bool, error) {
	item, ok, err := f.Store.Adopt(ctx, listed)
	if ok && !f.adopted.Swap(true) {
		return store.Item{}, false, errNoAnswer
	}
	return item, ok, err
}

func (b *bench) store() store.Store {
	b.Helper()
	return redisstore.New(b.server.Client(), queue, pod)
}

// startOn runs a worker on a store that is not as it should be.
func (b *bench) startOn(wrap func(store.Store) store.Store, handler worker.Handler, opts ...worker.Option) *running {
	b.Helper()
	client := b.server.Client()
	ctx, cancel := context.WithCancel(inject.With(context.Background(), inject.Broker{
		Queue: queue, DrainFile: b.drain, Store: wrap(redisstore.New(client, queue, pod)),
	}))
	r := &running{bench: b, cancel: cancel, ended: make(chan error, 1)}
	opts = append([]worker.Option{worker.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}, opts...)
	go func() { r.ended <- worker.Run(ctx, handler, opts...) }()
	b.Cleanup(cancel)
	return r
}

// A task whose reservation was not heard of was never begun: it has all its attempts yet.
func TestALostAnswerIsNoAttempt(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	attempts := make(chan int, 10)
	r := b.startOn(func(s store.Store) store.Store { return &forgetful{Store: s} },
		func(_ context.Context, t *worker.Task) error { attempts <- t.Attempt; return nil }, worker.WithRetries(0))
	if n := receive(b, attempts, "attempt"); n != 1 {
		t.Errorf("the attempt is number %d, want 1", n)
	}
	r.cancel()
	r.left()
	if n := b.dead() + b.inHand(); n > 0 {
		t.Errorf("%d are dead or in hand", n)
	}
}
