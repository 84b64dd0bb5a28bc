package rabbitmq

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// totals are what the management API says of one queue. Its numbers are as old as its statistics, and of one moment. A
// queue that has yet to tell them has none. The API lists every queue that is there.
type totals struct {
	there, known   bool
	ready, unacked int64
}

// mostMessages is more than any queue has: sums of it have room in an int64.
const mostMessages = 1 << 40

// snapshot is what the management API says of a virtual host.
type snapshot struct {
	at time.Time
	// took is how long the server took for it.
	took time.Duration
	// queues has those that were asked for, also the ones that are not there.
	queues map[string]totals
	// withWorkers is whether workers were asked for; workers is nil all the same where the user may not know.
	withWorkers bool
	workers     *workers
}

// errNoNumber is the answer to what is no queue.
var errNoNumber = strange{"the management API told of a queue what cannot be"}

// read asks for the queues, and for who holds their messages. It keeps what was asked for.
func (m *management) read(ctx context.Context, now time.Time, a *asked, withWorkers bool) (*snapshot, error) {
	s := &snapshot{at: now, queues: make(map[string]totals, len(a.queues)), withWorkers: withWorkers}
	for queue := range a.queues {
		s.queues[queue] = totals{}
	}
	type queue struct {
		Name    string `json:"name"`
		Ready   *int64 `json:"messages_ready"`
		Unacked *int64 `json:"messages_unacknowledged"`
	}
	path := "/api/queues/" + escaped(m.config.VHost) + "?disable_stats=true&enable_queue_totals=true&columns=name,messages_ready,messages_unacknowledged"
	err := m.get(ctx, path, func(in io.Reader) error {
		return decodeList(in, most, func(q queue) error {
			t := totals{there: true}
			if q.Ready != nil && q.Unacked != nil {
				t = totals{true, true, *q.Ready, *q.Unacked}
			}
			if !isCount(t.ready) || !isCount(t.unacked) || q.Name == "" || len(q.Name) > longestName {
				return errNoNumber
			}
			if _, wanted := s.queues[q.Name]; wanted {
				s.queues[q.Name] = t
			}
			return nil
		})
	})
	if err != nil || !withWorkers {
		return s, err
	}
	s.workers, err = m.readWorkers(ctx, a)
	return s, err
}

// isCount reports whether so many messages can be.
func isCount(n int64) bool { return n >= 0 && n <= mostMessages }

// covers reports whether the queues of all queries were asked for.
func (s *snapshot) covers(queries []broker.Query) bool {
	return !slices.ContainsFunc(queries, func(q broker.Query) bool { _, asked := s.queues[q.Queue]; return !asked })
}

// totalsOf is what is known of a queue by a snapshot; exists is false where the queue is known not to be there.
func (s *snapshot) totalsOf(queue string) (t totals, exists bool) {
	if s == nil {
		return totals{}, true
	}
	t = s.queues[queue]
	return t, t.there
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
	return broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0), Held: s.heldOf(q), HeldLate: true, CountsAll: s.countsAll(q.Queue)}
}

// countsAll reports whether each message that somebody has taken is counted.
func (s *snapshot) countsAll(queue string) bool {
	return s != nil && s.workers != nil && !s.workers.automatic[queue]
}
