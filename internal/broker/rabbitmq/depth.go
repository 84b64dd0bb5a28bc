package rabbitmq

import (
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// memory has, for each queue, how many messages there were in the last while: as long as statistics may be late.
//
//	t    the queue says   statistics say         counted as
//	0 s  5 wait           0 wait, 0 in flight    5 wait
//	1 s  3 wait           0 wait, 0 in flight    3 wait, 2 in flight: nobody has said yet that they are done
//	5 s  3 wait           3 wait, 2 in flight    3 wait, 2 in flight
//
// So a message that moves is counted all the while, and one that is done may be counted for as long.
type memory map[string][]sample

// sample is how many messages of a queue there were, waiting or in flight.
type sample struct {
	at    time.Time
	total int64
}

// depth puts together how many messages wait, as the queue said at that moment, and what older statistics say.
func (m memory) depth(queue string, ready int64, t totals, at time.Time, lag time.Duration) broker.Depth {
	if !t.known {
		return broker.Depth{Waiting: broker.CountOf(ready)}
	}
	total := max(ready+t.unacked, t.ready+t.unacked)
	most := m.note(queue, sample{at, total}, at.Add(-lag))
	return broker.Depth{Waiting: broker.CountOf(ready), InFlight: broker.CountOf(most - ready)}
}

// note remembers a sample, forgets those from before the horizon, and returns the most of what it remembers. Samples fall
// from first to last: an older one that is not more than a later one will never be the most again.
func (m memory) note(queue string, s sample, horizon time.Time) (most int64) {
	kept := m[queue]
	for len(kept) > 0 && kept[0].at.Before(horizon) {
		kept = kept[1:]
	}
	for len(kept) > 0 && kept[len(kept)-1].total <= s.total {
		kept = kept[:len(kept)-1]
	}
	if s.total == 0 && len(kept) == 0 {
		delete(m, queue)
		return 0
	}
	m[queue] = append(kept, s)
	return m[queue][0].total
}
