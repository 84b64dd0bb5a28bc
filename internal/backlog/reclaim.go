package backlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Reclaim returns the messages that a worker which no longer exists holds of the watched queue to its head, while this
// process has the claim; see Claim. The error is errors.ErrUnsupported where the broker keeps no messages by worker.
func (b *Backlog) Reclaim(ctx context.Context, key Key, worker string) (int64, error) {
	w := b.watch(key)
	if w == nil {
		return 0, fmt.Errorf("reclaiming from %s, which is not watched", key)
	}
	return w.source.reclaim(ctx, w, worker)
}

// Holders finds every worker that holds messages of any queue of a broker, by the ID of its source. It ends with the
// connection. The error is errors.ErrUnsupported where the broker keeps no messages by worker.
func (b *Backlog) Holders(ctx context.Context, id string) (holders []broker.Holder, err error) {
	b.mu.Lock()
	s := b.sources[id]
	b.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("searching %s, of which no queue is watched", id)
	}
	reclaimer, connected, err := s.reclaimer()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(connected, cancel)()
	defer contain(&err)
	return reclaimer.Holders(ctx)
}

// Held counts what workers hold of a watched queue, in their order.
func (b *Backlog) Held(ctx context.Context, key Key, workers []string) (held []int64, err error) {
	w := b.watch(key)
	if w == nil {
		return nil, fmt.Errorf("counting what workers hold of %s, which is not watched", key)
	}
	reclaimer, connected, err := w.source.reclaimer()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(connected, cancel)()
	defer contain(&err)
	return reclaimer.Held(ctx, w.source.nameOf(w), workers)
}

// reclaim returns what a worker holds, and has the queue read again.
func (s *source) reclaim(ctx context.Context, w *watch, worker string) (moved int64, err error) {
	reclaimer, connected, err := s.reclaimer()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	defer context.AfterFunc(connected, cancel)()
	defer contain(&err)
	claim, err := s.claim(ctx)
	if err != nil {
		return 0, err
	}
	moved, err = reclaimer.Reclaim(ctx, claim, s.nameOf(w), worker)
	if moved > 0 || err != nil { // after an error it may have been done all the same
		s.ringWatch(w)
	}
	if err != nil && broker.ReasonOf(err) == broker.ReasonOtherOperator {
		err = s.noteClaim(func(t *tenure, _ time.Time) { t.ours, t.asked = false, time.Time{} })
	}
	return moved, err
}

// reclaimer is the driver, and the context that ends with its connection.
func (s *source) reclaimer() (broker.Reclaimer, context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.driver == nil {
		return nil, nil, errNotConnected
	}
	reclaimer, ok := s.driver.(broker.Reclaimer)
	if !ok {
		return nil, nil, errors.ErrUnsupported
	}
	return reclaimer, s.connected, nil
}

func (s *source) nameOf(w *watch) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return w.spec.Query.Name()
}
