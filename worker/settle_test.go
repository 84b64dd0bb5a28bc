package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/inject"
	"github.com/quickube/qscaler/worker/internal/redisstore"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/internal/store"
)

// startOn runs a worker on a store that is not quite that of Redis, until the test's end at the latest.
func (b *bench) startOn(wrap func(store.Store) store.Store, handler worker.Handler, opts ...worker.Option) *running {
	b.Helper()
	redis, err := rueidis.NewClient(redistest.Option(b.server.Addr()))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(inject.With(context.Background(), inject.Broker{
		Queue: queue, DrainFile: b.drain, Store: wrap(redisstore.New(redis, queue, pod)),
	}))
	b.Cleanup(cancel)
	r := &running{bench: b, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- worker.Run(ctx, handler, append([]worker.Option{quiet()}, opts...)...) }()
	return r
}

// thinLine lets few bytes through within a time-out.
type thinLine struct{ store.Store }

func (s thinLine) Done(ctx context.Context, items ...store.Item) ([]bool, error) {
	bytes := 0
	for _, item := range items {
		bytes += len(item.Element)
	}
	if bytes > 2<<20 {
		return nil, errors.New("the time is up")
	}
	return s.Store.Done(ctx, items...)
}

// However much is done at once, its acknowledgements go out in portions that a slow line bears.
func TestLongTasksAreAcknowledgedOverAThinLine(t *testing.T) {
	b := newBench(t)
	const tasks = 8
	for range tasks {
		b.do("LPUSH", queue, strings.Repeat("x", 1<<20-1000))
	}
	begun, finish := make(chan struct{}, tasks), make(chan struct{})
	r := b.startOn(func(s store.Store) store.Store { return thinLine{s} }, func(context.Context, *worker.Task) error {
		begun <- struct{}{}
		<-finish
		return nil
	}, worker.WithConcurrency(tasks))
	for range tasks {
		receive(b, begun, "task")
	}
	close(finish)
	b.awaitEmpty()
	r.cancel()
	r.left()
}
