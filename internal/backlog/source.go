package backlog

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	reconnectBase = 100 * time.Millisecond
	reconnectMax  = 5 * time.Second
	// queriesPerRead bounds one round trip, so that ten thousand queues do not hold up the broker's others.
	queriesPerRead = 1000
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

// source is one broker. One goroutine, run, connects and reads; everything else only leaves word.
type source struct {
	id      string
	resolve func(context.Context) (broker.Endpoint, error)
	options Options
	metrics *metrics
	stop    context.CancelFunc // guarded by the Backlog's lock
	// kick wakes run; what for stands in the watches.
	kick chan struct{}

	mu      sync.Mutex
	watches map[*watch]struct{}
	byQueue map[string]map[*watch]struct{}
	waiting []chan struct{} // of requests that the next batch answers
	health  Health
	driver  broker.Driver // nil while there is no connection
	strays  strays

	hunts sync.WaitGroup
}

func newSource(spec Source, o Options, m *metrics) *source {
	return &source{
		id: spec.ID, resolve: spec.Resolve, options: o, metrics: m,
		kick:    make(chan struct{}, 1),
		watches: map[*watch]struct{}{},
		byQueue: map[string]map[*watch]struct{}{},
	}
}

func (s *source) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *source) add(w *watch, spec Watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.spec, w.dirty = spec, true
	s.watches[w] = struct{}{}
	s.index(w)
	s.wake()
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
		w.dirty = true
		s.wake()
	}
}

func (s *source) remove(w *watch) (left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watches, w)
	s.unindex(w)
	return len(s.watches)
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

// request asks for a reading that begins after now; the channel is closed when there is one.
func (s *source) request(w *watch) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := make(chan struct{})
	w.dirty = true
	s.waiting = append(s.waiting, done)
	s.wake()
	return done
}

// ring is the doorbell.
func (s *source) ring(queues ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.rings.Inc()
	if len(queues) == 0 {
		s.markAll()
	}
	for _, queue := range queues {
		for w := range s.byQueue[queue] {
			w.dirty = true
		}
	}
	s.wake()
}

func (s *source) markAll() {
	for w := range s.watches {
		w.dirty = true
	}
}

func (s *source) healthNow() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// run connects, reads until that fails, and starts over, with a growing pause while nothing succeeds.
func (s *source) run(ctx context.Context) {
	defer s.releaseWaiting()
	defer s.hunts.Wait()
	pause := reconnectBase
	for ctx.Err() == nil {
		succeeded, err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue // the credentials have changed
		}
		s.fail(err)
		if succeeded {
			pause = reconnectBase
		}
		if !s.pause(ctx, jitter(pause)) {
			return
		}
		pause = min(2*pause, reconnectMax)
	}
}

// session is the life of one connection. It returns nil when the connection is to be made anew at once.
func (s *source) session(ctx context.Context) (succeeded bool, err error) {
	endpoint, err := s.resolve(ctx)
	if err != nil {
		return false, err
	}
	driver, err := s.options.Open(ctx, endpoint, s.ring)
	if err != nil {
		return false, err
	}
	defer func() {
		s.setDriver(nil)
		driver.Close()
	}()
	s.setDriver(driver)

	clk := s.options.Clock
	resolved := clk.Now()
	all := clk.NewTimer(0) // when every queue is to be read, rung or not
	defer all.Stop()
	for {
		select {
		case <-ctx.Done():
			return succeeded, ctx.Err()
		case <-all.C():
			s.mu.Lock()
			s.markAll()
			s.mu.Unlock()
			all.Reset(jitter(s.interval(driver)))
		case <-s.kick:
		}
		if clk.Since(resolved) >= s.options.CredentialsInterval {
			resolved = clk.Now()
			if again, err := s.resolve(ctx); err != nil || !again.Equal(endpoint) {
				return succeeded, err
			}
		}
		began := clk.Now()
		if err := s.read(ctx, driver); err != nil {
			return succeeded, err
		}
		if !succeeded {
			succeeded = true
			s.launchStrayHunt(ctx, driver)
		}
		if !s.pause(ctx, s.options.BatchWindow-clk.Since(began)) {
			return succeeded, ctx.Err()
		}
	}
}

func (s *source) interval(d broker.Driver) time.Duration {
	if pushes, _ := d.Pushes(); pushes {
		return s.options.SafetyInterval
	}
	return s.options.PollInterval
}

func (s *source) setDriver(d broker.Driver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driver = d
}

// read answers everything that is dirty and everyone who waits, in one batch.
func (s *source) read(ctx context.Context, driver broker.Driver) error {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	var (
		batch []*watch
		probe bool // whether someone wants to know that the broker answers at all
	)
	for w := range s.watches {
		if !w.dirty {
			continue
		}
		w.dirty = false
		if w.spec.healthOnly {
			probe = true
			continue
		}
		batch = append(batch, w)
	}
	queries := make([]broker.Query, len(batch))
	for i, w := range batch {
		queries[i] = w.spec.Query
	}
	s.mu.Unlock()

	var err error
	if len(batch) > 0 || probe {
		if err = s.readBatch(ctx, driver, batch, queries); err != nil {
			s.fail(err)
		}
	}
	for _, done := range waiting {
		close(done)
	}
	return err
}

func (s *source) readBatch(ctx context.Context, driver broker.Driver, batch []*watch, queries []broker.Query) error {
	for first := true; first || len(batch) > 0; first = false {
		n := min(len(batch), queriesPerRead)
		began := s.options.Clock.Now()
		readCtx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
		answers, err := driver.Depths(readCtx, queries[:n])
		cancel()
		s.metrics.observe(err, s.options.Clock.Since(began))
		if err != nil {
			return err
		}
		s.deliver(driver, batch[:n], queries[:n], answers, began)
		batch, queries = batch[n:], queries[n:]
	}
	return nil
}

// deliver hands out the answers of a batch and wakes whom they matter to.
func (s *source) deliver(driver broker.Driver, batch []*watch, queries []broker.Query, answers []broker.Answer, began time.Time) {
	var wake []string
	s.mu.Lock()
	wake = s.setHealth(nil, driver)
	for i, w := range batch {
		if _, still := s.watches[w]; !still || w.spec.Query.Queue != queries[i].Queue {
			continue
		}
		prev := w.reading
		if err := answers[i].Err; err != nil {
			w.reading = prev.failed(err, began)
		} else {
			w.reading = Reading{Depth: answers[i].Depth, Known: true, ReadAt: began}
		}
		if turned(prev, w.reading) || (w.spec.Significant != nil && w.spec.Significant(prev, w.reading)) {
			wake = append(wake, w.key)
		}
	}
	s.mu.Unlock()
	s.notify(wake)
}

// fail tells every watch that the broker cannot be read.
func (s *source) fail(err error) {
	now := s.options.Clock.Now()
	s.mu.Lock()
	wake := s.setHealth(err, nil)
	for w := range s.watches {
		w.dirty = true
		if w.spec.healthOnly {
			continue
		}
		prev := w.reading
		w.reading = prev.failed(err, now)
		if turned(prev, w.reading) {
			wake = append(wake, w.key)
		}
	}
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, done := range waiting {
		close(done)
	}
	s.notify(wake)
}

// setHealth records whether the broker answers, and returns the keys of those who keep an eye on that.
func (s *source) setHealth(err error, driver broker.Driver) (wake []string) {
	next := Health{Known: true, Err: err, Since: s.health.Since, Pushes: s.health.Pushes, Why: s.health.Why}
	if driver != nil {
		next.Pushes, next.Why = driver.Pushes()
	}
	changed := !s.health.Known || (s.health.Err == nil) != (err == nil) || s.health.Pushes != next.Pushes ||
		(err != nil && broker.ReasonOf(s.health.Err) != broker.ReasonOf(err))
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

func (s *source) notify(keys []string) {
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		s.options.Notify(key)
	}
}

func (s *source) releaseWaiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, done := range s.waiting {
		close(done)
	}
	s.waiting = nil
}

// pause waits, and reports whether there is a point in going on.
func (s *source) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := s.options.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C():
		return true
	}
}

// jitter spreads what would otherwise happen at once on many brokers.
func jitter(d time.Duration) time.Duration {
	return d*9/10 + time.Duration(rand.Int64N(int64(d)/5+1))
}

// errNotConnected is the answer to who wants something of a broker that cannot be reached.
var errNotConnected = errors.New("the broker is not connected")
