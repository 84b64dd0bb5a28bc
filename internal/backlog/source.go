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
}

var (
	// errNotConnected is the answer to who wants something of a broker that cannot be reached.
	errNotConnected = errors.New("the broker is not connected")
	// errForgotten is the answer to who waits for the reading of a queue that is not watched any more.
	errForgotten = errors.New("the queue is not watched any more")
)

// source is one broker. One goroutine, run, connects and reads; everything else only leaves word.
type source struct {
	id      string
	name    string // guarded by the Backlog's lock
	resolve func(context.Context) (broker.Endpoint, error)
	options Options
	metrics *metrics
	stop    context.CancelFunc // guarded by the Backlog's lock
	// kick wakes run; what for stands in dirty.
	kick chan struct{}
	// beside has what run starts beside itself: it ends no later than run.
	beside sync.WaitGroup

	mu      sync.Mutex
	watches map[*watch]struct{}
	byQueue map[string]map[*watch]struct{}
	// dirty has the watches whose queue may have changed since it was read.
	dirty  map[*watch]struct{}
	health Health
	driver broker.Driver // nil while there is no connection
	ended  bool
	strays strays
}

func newSource(spec Source, o Options, m *metrics) *source {
	return &source{
		id: spec.ID, resolve: spec.Resolve, options: o, metrics: m,
		kick:    make(chan struct{}, 1),
		watches: map[*watch]struct{}{},
		byQueue: map[string]map[*watch]struct{}{},
		dirty:   map[*watch]struct{}{},
		strays:  strays{asking: map[*watch]bool{}},
	}
}

func (s *source) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// mark has a queue read again, soon.
func (s *source) mark(w *watch) {
	s.dirty[w] = struct{}{}
	s.wake()
}

func (s *source) add(w *watch, spec Watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.spec = spec
	s.watches[w] = struct{}{}
	s.index(w)
	s.mark(w)
}

func (s *source) update(w *watch, spec Watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := sameQuery(w.spec.Query, spec.Query)
	if w.spec.Query.Queue != spec.Query.Queue {
		s.unindex(w)
		w.reading = Reading{}
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
	delete(s.strays.asking, w)
	s.unindex(w)
	s.release(w)
	return len(s.watches)
}

// release answers those who wait for a reading that will not come.
func (s *source) release(w *watch) {
	answer(w.waiting, w.reading.failed(errForgotten, s.options.Clock.Now()))
	w.waiting = nil
}

// end is the last thing that run does.
func (s *source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for w := range s.watches {
		s.release(w)
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

func (s *source) last(w *watch) Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return w.reading
}

// request asks for a reading that begins after now. A broker that is known to fail has its answer already:
// nobody is to wait for its back-off.
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
	if len(queues) == 0 {
		s.ringAll()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queue := range queues {
		for w := range s.byQueue[queue] {
			s.mark(w)
		}
	}
}

// ringWatch is for what this process changes itself: the broker does not push that.
func (s *source) ringWatch(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, watched := s.watches[w]; watched {
		s.mark(w)
	}
}

func (s *source) ringAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		s.dirty[w] = struct{}{}
	}
	s.wake()
}

func (s *source) setDriver(d broker.Driver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driver = d
}

func (s *source) healthNow() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// setHealth records whether the broker answers, and returns the keys of those who keep an eye on that.
func (s *source) setHealth(err error, driver broker.Driver) (wake []string) {
	next := Health{Known: true, Err: err, Since: s.health.Since, Pushes: s.health.Pushes, Why: s.health.Why}
	if driver != nil {
		next.Pushes, next.Why = driver.Pushes()
	}
	changed := !s.health.Known || (s.health.Err == nil) != (err == nil) || s.health.Pushes != next.Pushes ||
		(err != nil && differs(s.health.Err, err))
	if !changed {
		return nil
	}
	next.Since = s.options.Clock.Now()
	s.health = next
	for w := range s.watches {
		if w.spec.healthOnly {
			wake = append(wake, w.key)
		}
	}
	return wake
}
