package backlog

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// strays are the workers that were found to hold messages by the last walk over the broker's keys. One walk serves
// every watch that asks for none later; where nobody asks (no ScalerConfig reclaims), there is none.
type strays struct {
	// wanted is true while somebody asks for more than the last walk can tell.
	wanted, hunting bool
	// began is when the last walk did; known is true once that has come to its end.
	began time.Time
	known bool
	// failures counts the walks in a row that failed, err is why the last of them did, and retryAt when to try again.
	failures int
	err      error
	retryAt  time.Time
	byQueue  map[string][]string
	// asking has the watches that were told to wait, and whether they were told of a failure.
	asking map[*watch]bool
}

const (
	huntRetryBase = time.Second
	huntRetryMax  = time.Minute
	// failuresToTell is how often in a row a walk must fail to be told: one that a lost connection ended says nothing.
	failuresToTell = 3
)

// tells reports whether the last walk began late enough.
func (s *strays) tells(since time.Time) bool { return !s.began.IsZero() && !s.began.Before(since) }

// trouble is why nobody knows who holds messages, once that is no matter of moments.
func (s *strays) trouble() error {
	if s.failures < failuresToTell {
		return nil
	}
	return s.err
}

// huntStrays looks for holders when that is wanted, beside the reads.
func (s *source) huntStrays(ctx context.Context, driver broker.Driver) {
	reclaimer, ok := driver.(broker.Reclaimer)
	s.mu.Lock()
	defer s.mu.Unlock()
	hunt, now := &s.strays, s.options.Clock.Now()
	if !hunt.wanted || hunt.hunting || now.Before(hunt.retryAt) {
		return
	}
	hunt.wanted, hunt.began, hunt.known = false, now, !ok
	if !ok {
		return
	}
	hunt.hunting = true
	s.beside.Go(func() {
		holders, err := reclaimer.Holders(ctx)
		s.notify(s.found(holders, err))
	})
}

// found records the holders, or why they are not known, and returns the keys of the watches that this is news for.
func (s *source) found(holders []broker.Holder, err error) (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hunt := &s.strays
	hunt.hunting = false
	if hunt.err = err; err != nil {
		hunt.wanted = true
		hunt.retryAt = s.options.Clock.Now().Add(min(huntRetryBase<<min(hunt.failures, 10), huntRetryMax))
		hunt.failures++
		return hunt.tellTrouble()
	}
	hunt.known, hunt.failures, hunt.byQueue = true, 0, map[string][]string{}
	for _, h := range holders {
		for _, queue := range h.Queues {
			hunt.byQueue[queue] = append(hunt.byQueue[queue], h.Worker)
		}
	}
	for w, told := range hunt.asking {
		if told || len(hunt.byQueue[w.spec.Query.Queue]) > 0 {
			keys = append(keys, w.key)
		}
	}
	if hunt.wanted {
		s.wake() // somebody has asked since this walk began
	}
	return keys
}

// tellTrouble returns the keys of the watches that have yet to be told of it.
func (s *strays) tellTrouble() (keys []string) {
	if s.trouble() == nil {
		return nil
	}
	for w, told := range s.asking {
		if !told {
			s.asking[w] = true
			keys = append(keys, w.key)
		}
	}
	return keys
}

// strayWorkers are the holders of the watch's queue that are its own.
func (s *source) strayWorkers(w *watch, ours func(worker string) bool, since time.Time) (workers []string, known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hunt := &s.strays
	if !hunt.tells(since) && !hunt.wanted {
		hunt.wanted = true
		s.wake()
	}
	if !hunt.known || !hunt.tells(since) {
		err = hunt.trouble()
		hunt.asking[w] = err != nil
		return nil, false, err
	}
	delete(hunt.asking, w)
	workers = slices.DeleteFunc(slices.Clone(hunt.byQueue[w.spec.Query.Queue]), func(worker string) bool { return !ours(worker) })
	return workers, true, nil
}

// Strays returns the workers, of those that ours picks by their names, that held messages of the watched queue at
// some time after since. Known is false while they are being looked for, and err says why that fails again and
// again. The watch is woken when there are any, when it fails, and when it fails no more.
func (b *Backlog) Strays(key string, ours func(worker string) bool, since time.Time) (workers []string, known bool, err error) {
	w := b.watch(key)
	if w == nil {
		return nil, false, nil
	}
	return w.source.strayWorkers(w, ours, since)
}

// reclaim gives back what a worker holds, and has the queue read again.
func (s *source) reclaim(ctx context.Context, w *watch, worker string) (int64, error) {
	s.mu.Lock()
	driver, queue := s.driver, w.spec.Query.Queue
	s.mu.Unlock()
	if driver == nil {
		return 0, errNotConnected
	}
	reclaimer, ok := driver.(broker.Reclaimer)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	moved, err := reclaimer.Reclaim(ctx, queue, worker)
	if moved > 0 || err != nil { // after an error it may have been done all the same
		s.ringWatch(w)
	}
	return moved, err
}
