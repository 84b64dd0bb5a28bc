package backlog

import (
	"context"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// batch is what one read is about: the watches, what was asked for each, and who waits for the answer.
type batch struct {
	watches []*watch
	queries []broker.Query
	waiting [][]chan Reading
}

// take empties the marks: what changes from now on is marked again. probe is true when somebody wants to
// know that the broker answers at all.
func (s *source) take() (b batch, probe bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.kick: // it is about a mark that is taken here
	default:
	}
	for w := range s.dirty {
		if w.spec.healthOnly {
			probe = true
			continue
		}
		b.watches = append(b.watches, w)
		b.queries = append(b.queries, w.spec.Query)
		b.waiting = append(b.waiting, w.waiting)
		w.waiting = nil
	}
	s.dirty = map[*watch]struct{}{}
	return b, probe
}

// cut takes off what goes into one call of the driver, which is at least one query.
func (b *batch) cut(c broker.Cadence) batch {
	n, cost := 0, 0
	for n < len(b.queries) {
		if cost += c.Cost(b.queries[n]); n > 0 && cost > c.Budget {
			break
		}
		n++
	}
	head := batch{b.watches[:n], b.queries[:n], b.waiting[:n]}
	*b = batch{b.watches[n:], b.queries[n:], b.waiting[n:]}
	return head
}

// read answers everything that is marked.
func (s *source) read(ctx context.Context, driver broker.Driver) error {
	rest, probe := s.take()
	for probe || len(rest.watches) > 0 {
		probe = false
		head := rest.cut(s.cadence)
		began := s.options.Clock.Now()
		answers, err := s.depths(ctx, driver, head.queries)
		s.metrics.observe(err, s.options.Clock.Since(began))
		if err != nil {
			s.putBack(head)
			s.putBack(rest)
			return err
		}
		s.deliver(driver, head, answers, began)
	}
	return nil
}

func (s *source) depths(ctx context.Context, driver broker.Driver, queries []broker.Query) (answers []broker.Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	defer contain(&err)
	answers, err = driver.Depths(ctx, queries)
	for i := range answers {
		answers[i].Err = broker.Cleaned(answers[i].Err)
	}
	return answers, err
}

// putBack leaves who waits for a batch that was not read to fail, or to end.
func (s *source) putBack(b batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range b.watches {
		s.waitOn(w, b.waiting[i])
	}
}

// waitOn has those who wait for a reading of w wait for the next read: what is asked for w has changed, and that has marked
// it, or the next connection reads everything.
func (s *source) waitOn(w *watch, waiting []chan Reading) {
	if _, still := s.watches[w]; still {
		w.waiting = append(w.waiting, waiting...)
	} else {
		answer(waiting, w.reading.failed(errForgotten, s.options.Clock.Now()))
	}
}

// deliver hands out the answers of a batch and wakes whom they matter to.
func (s *source) deliver(driver broker.Driver, b batch, answers []broker.Answer, began time.Time) {
	now := s.options.Clock.Now()
	s.mu.Lock()
	watchers := s.setHealth(nil, driver)
	for i, w := range b.watches {
		next, ok := s.outcome(w, b.queries[i], answers[i], began, now)
		if !ok {
			s.waitOn(w, b.waiting[i])
			continue
		}
		if w.turn(next) || w.changed || len(b.waiting[i]) > 0 {
			watchers = append(watchers, w.key)
		}
		w.changed = false
		answer(b.waiting[i], w.reading)
	}
	s.mu.Unlock()
	s.notify(watchers)
}

// outcome is the reading that follows from an answer, none where the next read may have a better one. The lock is held.
func (s *source) outcome(w *watch, asked broker.Query, a broker.Answer, began, now time.Time) (next Reading, ok bool) {
	_, still := s.watches[w]
	switch {
	case !still || !sameQueue(asked, w.spec.Query):
		return Reading{}, false
	case covers(asked, w.spec.Query):
		w.outpaced = time.Time{}
		return w.reading.after(a, began, now), true
	case w.overtaken(began, now, s.options.ReadTimeout):
		return w.reading.failed(errOutpaced, now), true
	}
	return Reading{}, false
}

// fail tells every watch that the broker cannot be read, and returns for how long it could be.
func (s *source) fail(err error) (answered time.Duration) {
	now := s.options.Clock.Now()
	s.mu.Lock()
	if s.health.Err == nil {
		answered = now.Sub(s.health.Since)
	}
	watchers := s.setHealth(err, nil)
	for w := range s.watches {
		if w.spec.healthOnly {
			continue
		}
		if w.turn(w.reading.failed(err, now)) || len(w.waiting) > 0 {
			watchers = append(watchers, w.key)
		}
		answer(w.waiting, w.reading)
		w.waiting, w.outpaced = nil, time.Time{}
	}
	s.mu.Unlock()
	s.notify(watchers)
	return answered
}

func answer(waiting []chan Reading, r Reading) {
	for _, ch := range waiting {
		ch <- r
	}
}

func (s *source) notify(keys []Key) {
	slices.SortFunc(keys, compareKeys)
	for _, key := range keys {
		s.options.Notify(key)
	}
}
