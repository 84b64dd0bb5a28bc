package worker_test

import (
	"context"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/store"
)

// counted tells of each look at the worker's list.
type counted struct {
	store.Store
	looks chan string
}

func (c counted) Length(ctx context.Context) (int, error) {
	c.looks <- "its length"
	return c.Store.Length(ctx)
}

func (c counted) Held(ctx context.Context, before store.Page) (store.Page, error) {
	c.looks <- "all of it"
	return c.Store.Held(ctx, before)
}

// The broker reads a whole list for a worker that starts, and not again and again for one that is at a long task.
func TestAListIsReadWhenItMayHaveChanged(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	looks, finish := make(chan string, 100), make(chan struct{})
	r := b.startOn(func(s store.Store) store.Store { return counted{s, looks} },
		func(context.Context, *worker.Task) error { <-finish; return nil })
	for _, want := range []string{"all of it", "its length"} {
		if got := receive(b, looks, "look"); got != want {
			t.Errorf("it looked at %s, want %s", got, want)
		}
	}
	close(finish)
	r.cancel()
	r.left()
}
