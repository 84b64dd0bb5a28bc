package rabbitmq

import (
	"context"
	"io"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// totals are what the management API says of one queue. Its numbers are as old as its statistics, and of one moment. A
// queue that has yet to tell them has none.
type totals struct {
	known          bool
	ready, unacked int64
}

// snapshot is what the management API says of a virtual host. It lists every queue that is there.
type snapshot struct {
	at time.Time
	// took is how long the server took for it.
	took   time.Duration
	queues map[string]totals
	// withWorkers is whether workers were asked for; workers is nil all the same where the user may not know.
	withWorkers bool
	workers     *workers
}

// errNoNumber is the answer to what is no queue.
var errNoNumber = strange{"the management API told of a queue what cannot be"}

// read asks for the queues, and for who holds their messages.
func (m *management) read(ctx context.Context, now time.Time, withWorkers bool) (*snapshot, error) {
	s := &snapshot{at: now, queues: map[string]totals{}, withWorkers: withWorkers}
	type queue struct {
		Name    string `json:"name"`
		Ready   *int64 `json:"messages_ready"`
		Unacked *int64 `json:"messages_unacknowledged"`
	}
	path := "/api/queues/" + escaped(m.config.VHost) + "?disable_stats=true&enable_queue_totals=true&columns=name,messages_ready,messages_unacknowledged"
	err := m.get(ctx, path, func(in io.Reader) error {
		return decodeList(in, most, func(q queue) error {
			var t totals
			if q.Ready != nil && q.Unacked != nil {
				t = totals{true, *q.Ready, *q.Unacked}
			}
			if t.ready < 0 || t.unacked < 0 || q.Name == "" || len(q.Name) > longestName {
				return errNoNumber
			}
			s.queues[q.Name] = t
			return nil
		})
	})
	if err != nil || !withWorkers {
		return s, err
	}
	s.workers, err = m.readWorkers(ctx)
	return s, err
}

// totalsOf is what is known of a queue by a snapshot; exists is false where the queue is known not to be there.
func (s *snapshot) totalsOf(queue string) (t totals, exists bool) {
	if s == nil {
		return totals{}, true
	}
	t, exists = s.queues[queue]
	return t, exists
}

// heldOf is what workers hold of a queue, nil where that is not known.
func (s *snapshot) heldOf(q broker.Query) map[string]int64 {
	if s == nil || s.workers == nil {
		return nil
	}
	return s.workers.heldOf(q)
}

// empty is the depth of a queue that is known not to be there.
func (s *snapshot) empty(q broker.Query) broker.Depth {
	return broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0), Held: s.heldOf(q), CountsAll: s.countsAll(q.Queue)}
}

// countsAll reports whether each message that somebody has taken is counted.
func (s *snapshot) countsAll(queue string) bool {
	return s != nil && s.workers != nil && !s.workers.automatic[queue]
}
