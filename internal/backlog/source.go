package backlog

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Health is what is known of a broker.
type Health struct {
	// Known is true once the broker was tried.
	Known bool
	// Err is why it does not answer, nil when it does; Since is when that began.
	Err   error
	Since time.Time
	// Pushes is true when it rings the doorbell; Why says why not.
	Pushes bool
	Why    string
	// Claim is whether this operator may return the tasks of dead workers there.
	Claim Claim
	// Risks are what of its settings endangers tasks, as it last said.
	Risks []broker.Risk
	// Unserved is what the last search has found there of queues that nobody serves.
	Unserved Unserved
}

var (
	// errNotConnected is the answer to who wants something of a broker that cannot be reached.
	errNotConnected = errors.New("the broker is not connected")
	// errForgotten is the answer to who waits for the reading of a queue that is not watched any more.
	errForgotten = errors.New("the queue is not watched any more")
	// errNoCount is an answer without its number.
	errNoCount = errors.New("the broker did not say how many messages wait")
	// errOutpaced is the answer where every read ends with workers there that it did not ask for.
	errOutpaced = errors.New("new workers come faster than the broker answers, so no answer counts what all of them hold")
)

// source is one broker. One goroutine, run, connects and reads; all others only mark what they need, and signal it.
type source struct {
	id      string
	number  string // tells it from the other sources of this process
	name    string // guarded by the Backlog's lock
	kind    broker.Kind
	cadence broker.Cadence
	resolve func(context.Context) (broker.Config, error)
	claim   func(context.Context) (broker.Claim, error)
	options Options
	metrics *metrics
	stop    context.CancelFunc // guarded by the Backlog's lock
	// kick wakes run; what for stands in dirty.
	kick  chan struct{}
	known credentials // run's
	// beside has what run starts beside itself: it ends no later than run.
	beside sync.WaitGroup

	mu      sync.Mutex
	watches map[*watch]struct{}
	byQueue map[string]map[*watch]struct{}
	// dirty has the watches whose queue may have changed since it was read.
	dirty  map[*watch]struct{}
	health Health
	// told is what was told of why the broker does not answer.
	told     error
	damper   damper
	tenure   tenure
	risks    []broker.Risk
	unserved Unserved
	// ages has how old messages are, by queue, as last read.
	ages map[string]broker.Age
	// redelivers is true where the driver tells when messages are delivered again; redeliveries has what it told, by the
	// names of queues.
	redelivers   bool
	redeliveries map[string]askedRedelivery
	// claimTold is what those know of the claim who keep an eye on it.
	claimTold Claim
	// claimAwaited is true once somebody could not go on without it.
	claimAwaited bool
	driver       broker.Driver // nil while there is no connection
	// connected ends with the driver's connection.
	connected context.Context
	config    broker.Config // that of the last connection
	// changed is when the keys of the broker may last have become others, by another connection or all at once. It is
	// zero for the first connection.
	changed time.Time
	ended   bool
}

func newSource(spec Source, number string, o Options, m *metrics) *source {
	s := &source{
		id: spec.ID, number: number, kind: spec.Kind, cadence: cadenceOf(spec.Kind, o), resolve: spec.Resolve, claim: spec.Claim, options: o, metrics: m,
		kick:    make(chan struct{}, 1),
		watches: map[*watch]struct{}{},
		byQueue: map[string]map[*watch]struct{}{},
		dirty:   map[*watch]struct{}{},
	}
	if spec.HadRival != nil && spec.HadRival() {
		s.tenure = hadRival(o.Clock.Now())
	}
	return s
}

// lookAgain has the loop look again.
func (s *source) lookAgain() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// mark has a queue read again, soon.
func (s *source) mark(w *watch) {
	s.dirty[w] = struct{}{}
	s.lookAgain()
}

func (s *source) add(w *watch, spec Watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.spec, w.reading = spec, s.unread()
	s.watches[w] = struct{}{}
	s.index(w)
	s.mark(w)
}

func (s *source) update(w *watch, spec Watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := sameQuery(w.spec.Query, spec.Query)
	if !sameQueue(w.spec.Query, spec.Query) {
		s.unindex(w)
		w.reading, w.outpaced = s.unread(), time.Time{}
	}
	w.spec = spec
	s.index(w)
	if !same {
		s.mark(w)
	}
}

func (s *source) remove(w *watch) (left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches, w)
	delete(s.dirty, w)
	s.unindex(w)
	s.dropWaiters(w)
	return len(s.watches)
}

// dropWaiters answers those who wait for a reading that will not come.
func (s *source) dropWaiters(w *watch) {
	answer(w.waiting, w.reading.failed(errForgotten, s.options.Clock.Now()))
	w.waiting = nil
}

// end is the last thing that run does.
func (s *source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for w := range s.watches {
		s.dropWaiters(w)
	}
}

func (s *source) index(w *watch) {
	queue := w.spec.Query.Queue
	if s.byQueue[queue] == nil {
		s.byQueue[queue] = map[*watch]struct{}{}
	}
	s.byQueue[queue][w] = struct{}{}
}

func (s *source) unindex(w *watch) {
	queue := w.spec.Query.Queue
	delete(s.byQueue[queue], w)
	if len(s.byQueue[queue]) == 0 {
		delete(s.byQueue, queue)
	}
}

// unread is the reading of a queue that has yet to be read. It has failed where the broker is known to fail: that is all
// that the next one will say. The lock is held.
func (s *source) unread() Reading {
	if s.health.Err == nil {
		return Reading{}
	}
	return Reading{}.failed(s.health.Err, s.health.Since)
}

func (s *source) last(w *watch) Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return w.reading
}

// request is Backlog.Request. A broker that is known to fail has its answer already: nobody is to wait for its back-off.
func (s *source) request(w *watch) <-chan Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	reading := make(chan Reading, 1)
	_, watched := s.watches[w]
	switch {
	case s.ended || !watched:
		reading <- w.reading.failed(errForgotten, s.options.Clock.Now())
	case s.health.Err != nil:
		reading <- w.reading.failed(s.health.Err, s.health.Since)
	default:
		w.waiting = append(w.waiting, reading)
		s.mark(w)
	}
	return reading
}

// ring is the doorbell.
func (s *source) ring(queues ...string) {
	s.metrics.rings.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(queues) == 0 {
		s.allChanged()
	}
	for _, queue := range queues {
		for w := range s.byQueue[queue] {
			s.mark(w)
		}
	}
}

// allChanged is the doorbell for all keys at once: the connection was made again, or the server has emptied or replaced
// its data. Whoever watches is woken by the next reading, for it may be that nothing of a queue looks different. The lock
// is held.
func (s *source) allChanged() {
	if s.driver != nil {
		s.changed = s.options.Clock.Now()
		for w := range s.watches {
			w.changed = true
		}
	}
	s.markAll()
}

// ringWatch is for what this process changes itself: the broker does not push that.
func (s *source) ringWatch(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, watched := s.watches[w]; watched {
		s.mark(w)
	}
}

func (s *source) markAll() {
	for w := range s.watches {
		s.mark(w)
	}
}

// markBusy has the queues read that have workers: the doorbell may be for the others only.
func (s *source) markBusy() {
	for w := range s.watches {
		if len(w.spec.Query.Workers) > 0 {
			s.mark(w)
		}
	}
}

func (s *source) setDriver(ctx context.Context, config broker.Config, d broker.Driver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config != nil {
		s.changed = s.options.Clock.Now()
	}
	s.driver, s.connected, s.config = d, ctx, config
}

func (s *source) unsetDriver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driver, s.connected = nil, nil
}

func (s *source) healthNow() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	health := s.health
	health.Err = s.told
	health.Claim, health.Risks, health.Unserved = s.tenure.claim(), s.risks, s.unserved
	return health
}

// setHealth records whether the broker answers, and returns the keys of those who keep an eye on that.
func (s *source) setHealth(err error, driver broker.Driver) (watchers []Key) {
	next := Health{Known: true, Err: err, Since: s.health.Since, Pushes: s.health.Pushes, Why: s.health.Why}
	if driver != nil {
		next.Pushes, next.Why = pushes(driver)
	}
	now := s.options.Clock.Now()
	changed := !s.health.Known || s.health.Pushes != next.Pushes || s.health.Why != next.Why
	if changed || isOther(s.health.Err, err) {
		next.Since = now
	}
	told := s.damper.tells(s.told, err, now)
	changed = changed || isOther(s.told, told)
	s.health, s.told = next, told
	if !changed {
		return nil
	}
	return s.healthWatchers()
}

// healthWatchers are the keys of those who keep an eye on the broker's health. The lock is held.
func (s *source) healthWatchers() (keys []Key) {
	for w := range s.watches {
		if w.spec.healthOnly {
			keys = append(keys, w.key)
		}
	}
	return keys
}
