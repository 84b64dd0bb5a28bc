package backlog

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
)

// strays are the workers that were found to hold messages when the broker was first connected. One walk over
// its keys serves every watch.
type strays struct {
	hunting bool
	known   bool
	holders []broker.Holder
}

// launchStrayHunt looks for holders once in the life of a source, beside the reads.
func (s *source) launchStrayHunt(ctx context.Context, driver broker.Driver) {
	reclaimer, ok := driver.(broker.Reclaimer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.strays.known || s.strays.hunting {
		return
	}
	if !ok {
		s.strays.known = true
		return
	}
	s.strays.hunting = true
	s.hunts.Go(func() {
		holders, err := reclaimer.Holders(ctx)
		s.mu.Lock()
		s.strays.hunting = false
		if err == nil {
			s.strays.known, s.strays.holders = true, holders
		}
		keys := make([]string, 0, len(s.watches))
		for w := range s.watches {
			if err == nil && len(w.strays("")) > 0 {
				keys = append(keys, w.key)
			}
		}
		s.mu.Unlock()
		s.notify(keys)
	})
}

// strays are the holders of the watch's queue whose name has the prefix.
func (w *watch) strays(prefix string) []string {
	var workers []string
	for _, h := range w.source.strays.holders {
		if slices.Contains(h.Queues, w.spec.Query.Queue) && strings.HasPrefix(h.Worker, prefix) {
			workers = append(workers, h.Worker)
		}
	}
	return workers
}

// Strays returns the workers, by the prefix of their names, that held messages of the watched queue when
// its broker was first connected; known is false while that is not known.
func (b *Backlog) Strays(key, prefix string) (workers []string, known bool) {
	w := b.watch(key)
	if w == nil {
		return nil, false
	}
	w.source.mu.Lock()
	defer w.source.mu.Unlock()
	return w.strays(prefix), w.source.strays.known
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
	if moved > 0 {
		s.request(w)
	}
	return moved, err
}
