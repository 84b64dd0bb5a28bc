package backlog_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
	"github.com/quickube/qscaler/internal/bubbletest"
)

// fakeBroker is a broker in memory, for tests in which time decides; they run in a synctest bubble.
type fakeBroker struct {
	mu     sync.Mutex
	depth  map[string]int64
	down   error
	polled bool // it does not push
	why    string
	mute   bool // it does not say how many messages wait
	// refuses has queues that cannot be read, and why.
	refuses map[string]error
	// lasts is how many reads a connection answers before it fails; 0 is no bound.
	lasts  int
	opens  int
	closes int
	dials  []time.Time
	reads  [][]string
	began  []time.Time // reads
	asked  []context.Context
	rings  map[*fakeDriver]broker.Doorbell
	// hang blocks reads until they are cancelled.
	hang bool
	// holders and refused are what a walk finds, or why it and a return fail; moved is what a return moves.
	holders []broker.Holder
	refused error
	moved   int64
	// walked is called at the end of a walk or a return; stuck has them hang.
	walked func()
	stuck  bool
	// reclaimed has the queue and the worker of each return.
	reclaimed []string
	// claimed is the process that has the claim, and claims counts how often somebody asked for it.
	claimed, mark string
	// renewed counts the renewals of the claim of another, which renews it between any two questions; 0 where he does not.
	renewed int
	claims  int
	// silent is true where it keeps no messages by worker.
	silent bool
	// inspected is what it says of its settings, nil for nothing, and inspections how often it was asked.
	inspected   func() ([]broker.Risk, error)
	inspections int
	// ages is what it says of the ages of messages, nil where it does not tell.
	ages func(ctx context.Context, queues []string) ([]broker.Age, error)
	// agesAsked has the queues of each read of ages.
	agesAsked [][]string
	// redelivers is what it says of when messages are delivered again, nil where it does not tell.
	redelivers func(queries []broker.Query) ([]broker.Redelivery, error)
	// redeliveriesAsked has the names of the queues of each such question.
	redeliveriesAsked [][]string
	// before is called with the queries of a read, before it is answered.
	before func([]broker.Query)
}

type fakeDriver struct {
	*fakeBroker
	answered int
}

func newFakeBroker() *fakeBroker {
	return &fakeBroker{why: "it has no bell", moved: 1, depth: map[string]int64{}, rings: map[*fakeDriver]broker.Doorbell{}}
}

func (f *fakeBroker) open(ring broker.Doorbell) (broker.Driver, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opens++
	f.dials = append(f.dials, time.Now())
	if f.down != nil {
		return nil, f.down
	}
	d := &fakeDriver{fakeBroker: f}
	f.rings[d] = ring
	if f.ages != nil {
		return agedDriver{d}, nil
	}
	if f.redelivers != nil {
		return redeliveringDriver{d}, nil
	}
	if f.silent {
		return struct{ broker.Driver }{d}, nil // without the methods of a Reclaimer
	}
	return d, nil
}

// push adds to a queue, and rings.
func (f *fakeBroker) push(queue string, n int64) {
	f.mu.Lock()
	f.depth[queue] += n
	rings := slices.Collect(maps.Values(f.rings))
	f.mu.Unlock()
	for _, ring := range rings {
		ring(queue)
	}
}

// ringAll rings for no queue by name.
func (f *fakeBroker) ringAll() {
	f.mu.Lock()
	rings := slices.Collect(maps.Values(f.rings))
	f.mu.Unlock()
	for _, ring := range rings {
		ring()
	}
}

func (f *fakeBroker) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
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
	d.reads, d.began, d.asked = append(d.reads, names), append(d.began, time.Now()), append(d.asked, ctx)
	if d.answered++; d.lasts > 0 && d.answered > d.lasts {
		down = errDown
	}
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
		answers[i].Err = d.refuses[q.Queue]
		answers[i].Depth = broker.Depth{Waiting: broker.CountOf(d.depth[q.Queue]), InFlight: broker.CountOf(0), Held: map[string]int64{}}
		answers[i].Depth.Waiting.Known = !d.mute
		for _, worker := range q.Workers {
			answers[i].Depth.Held[worker.PodName] = 0
		}
	}
	return answers, nil
}

func (d *fakeDriver) Pushes() (ok bool, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.polled {
		return false, d.why
	}
	return true, ""
}

func (d *fakeDriver) Holders(ctx context.Context) ([]broker.Holder, error) {
	return d.holders, d.walk(ctx)
}

func (d *fakeDriver) Held(ctx context.Context, _ string, workers []string) ([]int64, error) {
	return make([]int64, len(workers)), d.walk(ctx)
}

func (d *fakeDriver) Claim(ctx context.Context, c broker.Claim, take bool) (broker.Claimant, error) {
	if err := d.walk(ctx); err != nil {
		return broker.Claimant{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.claims++
	if d.claimed == "" && take {
		d.claimed, d.mark = c.Process, c.Mark
	}
	has := broker.Claimant{Process: d.claimed, Mark: d.mark}
	if d.renewed > 0 && has.Process != "" {
		d.renewed++ // between any two questions
		has.Renewals = strconv.Itoa(d.renewed)
	}
	return has, nil
}

func (d *fakeDriver) Reclaim(ctx context.Context, c broker.Claim, queue, worker string) (int64, error) {
	d.set(func() { d.reclaimed = append(d.reclaimed, worker+" of "+queue) })
	if err := d.walk(ctx); err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claimed != c.Process {
		return 0, &broker.Error{Reason: broker.ReasonOtherOperator}
	}
	return d.moved, nil
}

// walk is a command that a broker may refuse, or that it may never answer.
func (d *fakeDriver) walk(ctx context.Context) error {
	d.mu.Lock()
	hang, refused, walked := d.hang || d.stuck, d.refused, d.walked
	d.asked = append(d.asked, ctx)
	d.mu.Unlock()
	if walked != nil {
		walked()
	}
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return refused
}

func (d *fakeDriver) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closes++
	delete(d.rings, d)
}

// bubble is a Backlog on fake brokers by the ID of the source, in time that stands still while it works.
type bubble struct {
	byName
	brokers map[string]*fakeBroker
	// cadence is the one of their kind.
	cadence broker.Cadence
	// stop ends it, and returns when it has ended.
	stop  func()
	mu    sync.Mutex
	woken []backlog.Key
}

func inBubble(t *testing.T, o backlog.Options, test func(*testing.T, *bubble)) {
	t.Helper()
	bubbletest.Run(t, func(t *testing.T) {
		b := &bubble{brokers: map[string]*fakeBroker{"x": newFakeBroker(), "y": newFakeBroker()}}
		o.Notify = func(key backlog.Key) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.woken = append(b.woken, key)
		}
		b.byName = byName{backlog.New(o)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			_ = b.Start(ctx)
			close(ended)
		}()
		b.stop = func() {
			cancel()
			<-ended
		}
		test(t, b)
		b.stop()
		for id, f := range b.brokers {
			if opens, closes, _ := f.counts(); f.down == nil && opens != closes {
				t.Errorf("broker %s: %d connections made, %d closed", id, opens, closes)
			}
		}
	})
}

// Watch and Keep put the fake brokers in the place of the real ones.
func (b *bubble) Watch(name string, w backlog.Watch) {
	w.Source.Kind = b.kind()
	b.byName.Watch(name, w)
}

func (b *bubble) Keep(name string, s backlog.Source, reclaims bool) {
	s.Kind = b.kind()
	b.byName.Keep(name, s, reclaims)
}

func (b *bubble) kind() broker.Kind {
	return broker.Kind{
		Open: func(_ context.Context, c broker.Config, ring broker.Doorbell) (broker.Driver, error) {
			return b.brokers[c.(redis.Config).Address].open(ring)
		},
		Cadence: b.cadence,
	}
}

// settle waits until everybody waits for time to pass.
func settle() { synctest.Wait() }

func (b *bubble) wokenFor(name string) (times int) {
	for _, key := range b.wakes() {
		if key.Name == name {
			times++
		}
	}
	return times
}

// wakes has the keys that were woken, in order.
func (b *bubble) wakes() []backlog.Key {
	settle()
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.woken)
}

// forgetWakes has what was woken until now not count.
func (b *bubble) forgetWakes() {
	settle()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.woken = nil
}

func watchOf(id, queue string, workers ...string) backlog.Watch {
	return backlog.Watch{Source: sourceAt(id), Query: broker.Query{Queue: queue, Workers: workersOf(workers...)}, Significant: onChange, Reclaims: true}
}

// workersOf are those of these pods.
func workersOf(pods ...string) []broker.Worker {
	workers := make([]broker.Worker, len(pods))
	for i, pod := range pods {
		workers[i].PodName = pod
	}
	return workers
}

var errDown = errors.New("down")
