// Package backlog keeps the depth of watched queues current: one connection and one batched read for each
// broker, however many queues, and doorbells instead of polling where a broker has one.
//
//	backlog.go   what others call
//	key.go       the name of a watch
//	watch.go     one queue that is watched, and its readings
//	source.go    one broker: who watches it, what may have changed
//	cadence.go   how often and how much at a time
//	session.go   one connection: connect, read on, start over after a failure
//	credentials.go how a broker is reached, looked up now and then
//	contain.go   what a driver makes of a broker's words stays with that broker
//	batch.go     one read: what is asked, and who gets the answers
//	damper.go    how often it is told that a broker fails, or answers again
//	ages.go      how old messages are
//	risks.go     what of the broker's settings endangers tasks
//	redeliveries.go when messages are delivered again
//	claim.go     whether this operator may return tasks
//	server.go    which sources see the same keys
//	reclaim.go   what dead workers hold: who does, and its return
//	unserved.go  what workers hold of queues that nobody serves: how many lists
//
// A failed read is not zero: the last good depth stays, and the reading says that it is old. A broker that
// comes back without its data is another matter: it was read, it is empty, and 0 is the truth. Nothing is
// lost by that here, because a fleet shrinks by workers that leave after their task.
//
// The package has no Kubernetes types; it may import internal/broker, and no driver.
package backlog

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/broker"
)

// Source is how to reach one broker.
type Source struct {
	// ID names the broker: watches with equal IDs share one connection.
	ID string
	// Name is the broker's in the metrics; "" shows it in none.
	Name string
	// Kind is the broker's.
	Kind broker.Kind
	// Resolve finds the address and the credentials. It is called before the first connection, every
	// Options.CredentialsInterval, and when a broker refuses what it has returned, at most every 5 s. What it returns is
	// of the Kind.
	Resolve func(context.Context) (broker.Config, error)
	// Claim says under which claim tasks are returned there. It is called before each renewal.
	Claim func(context.Context) (broker.Claim, error)
	// HadRival reports whether the process before this one knew that another operator returns tasks there: then this one
	// knows it from its start. It is called when the broker is first watched, with the Backlog locked. Nil is as if it
	// returned false.
	HadRival func() bool
}

// Options is how a Backlog works.
type Options struct {
	// Notify is called with the key of a watch whose reading matters. It must not block.
	Notify func(Key)
	// Clock is the real one where it is nil.
	Clock clock.WithTicker
	// PollInterval is how often a broker that does not push is read. Default: as suits its kind, else 1 s.
	PollInterval time.Duration
	// SafetyInterval is how often a broker that pushes is read all the same, because a push can be missed.
	// Default: as suits its kind, else 5 s.
	SafetyInterval time.Duration
	// BatchWindow is the least time between the starts of two reads of one broker; it is longer, up to
	// 125 ms, where a read takes more than 2 ms. Default: as suits the kind, else 10 ms.
	BatchWindow time.Duration
	// ReadTimeout bounds one read, and one look-up of the credentials. Default: 5 s.
	ReadTimeout time.Duration
	// CredentialsInterval is how often the credentials are resolved anew. Default: 60 s.
	CredentialsInterval time.Duration
	// Jitter spreads what would otherwise happen at once on many brokers: it returns about the length that it is
	// given. Default: a tenth more or less, at random.
	Jitter func(time.Duration) time.Duration
	// Registerer gets the metrics; nil registers none.
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.ReadTimeout, 5 * time.Second},
		{&o.CredentialsInterval, time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Jitter == nil {
		o.Jitter = jitter
	}
}

// Backlog watches queues. Its methods may be called from several goroutines, before Start too.
type Backlog struct {
	options Options
	metrics *metrics

	mu      sync.Mutex
	ctx     context.Context // of Start; nil before and after
	sources map[string]*source
	watches map[Key]*watch
	running sync.WaitGroup
	// marks counts the sources that there have been.
	marks int
}

// New returns a Backlog that connects to nothing before Start.
func New(o Options) *Backlog {
	o.setDefaults()
	b := &Backlog{
		options: o,
		sources: map[string]*source{},
		watches: map[Key]*watch{},
	}
	b.metrics = newMetrics(o.Registerer, b)
	return b
}

// Start reads until ctx is done, and returns once every connection is closed.
func (b *Backlog) Start(ctx context.Context) error {
	b.mu.Lock()
	b.ctx = ctx
	for _, s := range b.sources {
		b.launch(s)
	}
	b.mu.Unlock()

	<-ctx.Done()
	b.mu.Lock()
	b.ctx = nil
	b.mu.Unlock()
	b.running.Wait()
	return nil
}

// launch runs a source in a goroutine that ends with the source or with Start's context.
func (b *Backlog) launch(s *source) {
	ctx, cancel := context.WithCancel(b.ctx)
	s.stop = cancel
	b.running.Go(func() { s.run(ctx) })
}

// Watch keeps a queue current under a key, or changes what is watched under it. The last reading stays while
// the queue and the source do.
func (b *Backlog) Watch(key Key, spec Watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.watches[key]
	if w != nil && w.source.id != spec.Source.ID {
		b.remove(key)
		w = nil
	}
	if w != nil {
		w.source.update(w, spec)
		return
	}
	w = &watch{key: key, source: b.sourceOf(spec.Source)}
	b.watches[key] = w
	w.source.add(w, spec)
}

// Keep keeps a connection and its health current under a key, without a queue; reclaims is Watch.Reclaims.
func (b *Backlog) Keep(key Key, s Source, reclaims bool) {
	b.Watch(key, Watch{Source: s, Reclaims: reclaims, healthOnly: true})
}

func (b *Backlog) sourceOf(spec Source) *source {
	s := b.sources[spec.ID]
	if s == nil {
		b.marks++
		s = newSource(spec, strconv.Itoa(b.marks), b.options, b.metrics)
		b.sources[spec.ID] = s
		if b.ctx != nil {
			b.launch(s)
		}
	}
	if s.name == "" {
		s.name = spec.Name
	}
	return s
}

// Forget ends a watch. The last one of a source closes its connection.
func (b *Backlog) Forget(key Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(key)
}

func (b *Backlog) remove(key Key) {
	w := b.watches[key]
	if w == nil {
		return
	}
	delete(b.watches, key)
	if left := w.source.remove(w); left > 0 {
		return
	}
	delete(b.sources, w.source.id)
	if w.source.stop != nil {
		w.source.stop()
	}
}

func (b *Backlog) watch(key Key) *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.watches[key]
}

// Last returns the newest reading, which may be none.
func (b *Backlog) Last(key Key) Reading {
	if w := b.watch(key); w != nil {
		return w.source.last(w)
	}
	return Reading{}
}

// Request has a queue read anew, and does not wait for it. The channel gets a reading that began after the call, or one
// with an error: at once while the broker is known to fail, and else when the time-outs of the connection and of the read
// are up. That wakes the watcher, whatever the reading says.
func (b *Backlog) Request(key Key) <-chan Reading {
	if w := b.watch(key); w != nil {
		return w.source.request(w)
	}
	none := make(chan Reading, 1)
	none <- Reading{}
	return none
}

// Health is what is known of a source, by its ID.
func (b *Backlog) Health(id string) Health {
	b.mu.Lock()
	s := b.sources[id]
	b.mu.Unlock()
	if s == nil {
		return Health{}
	}
	return s.healthNow()
}
