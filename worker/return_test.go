package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/store"
)

// keeper is a store whose worker is told to leave when it has reserved a task, so that it hands that back: as the test
// has it.
type keeper struct {
	store.Store
	told   atomic.Bool
	tell   func()
	back   func(ctx context.Context, items ...store.Item) ([]bool, error)
	listed func(ctx context.Context, before store.Page) (store.Page, error)
}

func (k *keeper) Reserve(ctx context.Context, n int, ahead bool) ([]store.Item, error) {
	items, err := k.Store.Reserve(ctx, n, ahead)
	if len(items) > 0 && !k.told.Swap(true) {
		k.tell()
		<-worker.Draining(ctx)
	}
	return items, err
}

func (k *keeper) Return(ctx context.Context, items ...store.Item) ([]bool, error) {
	return k.back(ctx, items...)
}

func (k *keeper) Held(ctx context.Context, before store.Page) (store.Page, error) {
	if k.told.Load() && k.listed != nil {
		return k.listed(ctx, before)
	}
	return k.Store.Held(ctx, before)
}

// startKeeper runs a worker on a keeper that grants it leave.
func (b *bench) startKeeper(k *keeper, handler worker.Handler, opts ...worker.Option) *running {
	b.Helper()
	b.do("LPUSH", queue, "task")
	k.tell = func() { b.grant("ScaleDown") }
	return b.startOn(func(s store.Store) store.Store { k.Store = s; return k }, handler, opts...)
}

// A worker that is to leave, and whose broker is away, does not stay for tasks that it has not begun.
func TestLeavingWithoutABrokerWaitsForNothingThatWasNotBegun(t *testing.T) {
	b := newBench(t)
	r := b.startKeeper(&keeper{
		back:   func(context.Context, ...store.Item) ([]bool, error) { return nil, errNoAnswer },
		listed: func(context.Context, store.Page) (store.Page, error) { return store.Page{}, errNoAnswer },
	}, func(context.Context, *worker.Task) error { t.Error("it was begun"); return nil })
	r.left()
}

// A task that was handed back, by a command whose answer did not arrive, is not said to be held no more.
func TestAReturnWithoutAnAnswer(t *testing.T) {
	b := newBench(t)
	log, k := &lines{}, &keeper{}
	k.back = func(ctx context.Context, items ...store.Item) ([]bool, error) {
		if _, err := k.Store.Return(ctx, items...); err != nil {
			return nil, err
		}
		return nil, errNoAnswer
	}
	r := b.startKeeper(k, func(context.Context, *worker.Task) error { t.Error("it was begun"); return nil }, logTo(log))
	r.left()
	if b.waiting() != 1 || strings.Contains(log.String(), "not held") {
		t.Errorf("%d tasks wait, and the log has:\n%s", b.waiting(), log)
	}
}

// A return that comes when everybody has given it up does not take a task from the hand that is at it.
func TestAReturnThatComesLate(t *testing.T) {
	b := newBench(t)
	late, k := make(chan []store.Item, 10), &keeper{}
	k.back = func(_ context.Context, items ...store.Item) ([]bool, error) {
		late <- items
		b.grant("") // it is to stay after all
		return nil, errNoAnswer
	}
	begun, finish := make(chan int, 10), make(chan struct{})
	r := b.startKeeper(k, func(_ context.Context, k *worker.Task) error {
		begun <- k.Attempt
		<-finish
		return nil
	})
	items := receive(b, late, "return")
	if n := receive(b, begun, "task"); n != 1 {
		t.Errorf("the attempt is number %d, want 1", n)
	}
	if _, err := b.store().Return(t.Context(), items...); err != nil {
		t.Fatal(err)
	}
	if b.inHand() != 1 || b.waiting() != 0 {
		t.Errorf("%d are in hand and %d wait, want 1 and 0", b.inHand(), b.waiting())
	}
	close(finish)
	b.awaitEmpty()
	r.cancel()
	r.left()
}
