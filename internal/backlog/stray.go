package backlog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// strays are the workers that were found to hold messages when somebody first asked. One walk over the
// broker's keys serves every watch; where nobody asks (no ScalerConfig reclaims), there is none.
type strays struct {
	wanted, hunting, known bool
	// err is why the last walk failed, and retryAt when to try again.
	err     error
	retryAt time.Time
	byQueue map[string][]string
}

const huntAgainAfter = time.Minute

// huntStrays looks for holders once in the life of a source, beside the reads.
func (s *source) huntStrays(ctx context.Context, driver broker.Driver) {
	reclaimer, ok := driver.(broker.Reclaimer)
	s.mu.Lock()
	defer s.mu.Unlock()
	hunt := &s.strays
	if !hunt.wanted || hunt.hunting || hunt.known || s.options.Clock.Now().Before(hunt.retryAt) {
		return
	}
	if !ok {
		hunt.known = true
		return
	}
	hunt.hunting = true
	s.beside.Go(func() {
		holders, err := reclaimer.Holders(ctx)
		s.notify(s.found(holders, err))
	})
}

// found records the holders, and returns the keys of the watches that have some.
func (s *source) found(holders []broker.Holder, err error) (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strays.hunting = false
	if s.strays.err = err; err != nil {
		s.strays.retryAt = s.options.Clock.Now().Add(huntAgainAfter)
		return nil
	}
	s.strays.known, s.strays.byQueue = true, map[string][]string{}
	for _, h := range holders {
		for _, queue := range h.Queues {
			s.strays.byQueue[queue] = append(s.strays.byQueue[queue], h.Worker)
			for w := range s.byQueue[queue] {
				keys = append(keys, w.key)
			}
		}
	}
	return keys
}

// strayWorkers are the holders of the watch's queue whose name has the prefix.
func (s *source) strayWorkers(w *watch, prefix string) (workers []string, known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.strays.wanted {
		s.strays.wanted = true
		s.wake()
	}
	workers = slices.DeleteFunc(slices.Clone(s.strays.byQueue[w.spec.Query.Queue]), func(worker string) bool {
		return !strings.HasPrefix(worker, prefix)
	})
	return workers, s.strays.known, s.strays.err
}

// Strays returns the workers, by the prefix of their names, that held messages of the watched queue when
// they were first asked for; known is false while they are being looked for, and err says why that has failed
// so far. The watch is woken when there are any.
func (b *Backlog) Strays(key, prefix string) (workers []string, known bool, err error) {
	w := b.watch(key)
	if w == nil {
		return nil, false, nil
	}
	return w.source.strayWorkers(w, prefix)
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
