package backlog_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// fakeBroker is a broker in memory, for tests in which time decides; they run in a synctest bubble.
type fakeBroker struct {
	mu     sync.Mutex
	depth  map[string]int64
	down   error
	polled bool // it does not push
	opens  int
	closes int
	reads  [][]string
	rings  map[*fakeDriver]broker.Doorbell
	// hang blocks reads until they are cancelled.
	hang bool
	// holders and lost are what a walk finds, or why it fails; walks counts them, and walking blocks them.
	holders []broker.Holder
	lost    error
	walks   int
	walking chan struct{}
	// before is called with the queries of a read, before it is answered.
	before func([]broker.Query)
}

type fakeDriver struct{ *fakeBroker }

func newFakeBroker() *fakeBroker {
	return &fakeBroker{depth: map[string]int64{}, rings: map[*fakeDriver]broker.Doorbell{}}
}

func (f *fakeBroker) open(_ context.Context, _ broker.Endpoint, ring broker.Doorbell) (broker.Driver, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opens++
	if f.down != nil {
		return nil, f.down
	}
	d := &fakeDriver{f}
	f.rings[d] = ring
	return d, nil
}

// push adds to a queue, and rings.
func (f *fakeBroker) push(queue string, n int64) {
	f.mu.Lock()
	f.depth[queue] += n
	rings := make([]broker.Doorbell, 0, len(f.rings))
	for _, ring := range f.rings {
		rings = append(rings, ring)
	}
	f.mu.Unlock()
	for _, ring := range rings {
		ring(queue)
	}
}

func (f *fakeBroker) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// walked is how many walks there were.
func (f *fakeBroker) walked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.walks
}

func (f *fakeBroker) counts() (opens, closes, reads int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opens, f.closes, len(f.reads)
}

func (d *fakeDriver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	d.mu.Lock()
	hang, before, down := d.hang, d.before, d.down
	names := make([]string, len(queries))
	for i, q := range queries {
		names[i] = q.Queue
	}
	d.reads = append(d.reads, names)
	d.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if before != nil {
		before(queries)
	}
	if down != nil {
		return nil, down
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	answers := make([]broker.Answer, len(queries))
	for i, q := range queries {
		answers[i].Depth = broker.Depth{Waiting: d.depth[q.Queue], Held: map[string]int64{}}
		for _, worker := range q.Workers {
			answers[i].Depth.Held[worker] = 0
		}
	}
	return answers, nil
}

func (d *fakeDriver) Pushes() (ok bool, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.polled {
		return false, "it has no bell"
	}
	return true, ""
}

func (d *fakeDriver) Holders(context.Context) ([]broker.Holder, error) {
	d.mu.Lock()
	d.walks++
	holders, walking := d.holders, d.walking
	d.mu.Unlock()
	if walking != nil {
		<-walking
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost != nil {
		return nil, d.lost
	}
	return holders, nil
}

func (d *fakeDriver) Reclaim(context.Context, string, string) (int64, error) { return 0, nil }

func (d *fakeDriver) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closes++
	delete(d.rings, d)
}

// bubble is a Backlog on fake brokers by the ID of the source, in time that stands still while it works.
type bubble struct {
	*backlog.Backlog
	brokers map[string]*fakeBroker
	mu      sync.Mutex
	woken   map[string]int
}

func inBubble(t *testing.T, o backlog.Options, test func(*testing.T, *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{brokers: map[string]*fakeBroker{"x": newFakeBroker(), "y": newFakeBroker()}, woken: map[string]int{}}
		o.Open = func(ctx context.Context, e broker.Endpoint, ring broker.Doorbell) (broker.Driver, error) {
			return b.brokers[e.Address].open(ctx, e, ring)
		}
		o.Notify = func(key string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.woken[key]++
		}
		b.Backlog = backlog.New(o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			_ = b.Start(ctx)
			close(ended)
		}()
		test(t, b)
		cancel()
		<-ended
		for id, f := range b.brokers {
			if opens, closes, _ := f.counts(); f.down == nil && opens != closes {
				t.Errorf("broker %s: %d connections made, %d closed", id, opens, closes)
			}
		}
	})
}

// settle waits until everybody waits for time to pass.
func settle() { synctest.Wait() }

func (b *bubble) wokenFor(key string) int {
	settle()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.woken[key]
}

func watchOf(id, queue string, workers ...string) backlog.Watch {
	return backlog.Watch{Source: sourceAt(id), Query: broker.Query{Queue: queue, Workers: workers}, Significant: onChange}
}

var errDown = errors.New("down")
