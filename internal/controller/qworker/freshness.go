package qworker

import (
	"errors"
	"iter"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/planner"
)

// freshness is what is known of readings that were requested. Nobody is let go on an older one: a worker that was idle a
// second ago may be busy now. A round that would let somebody go requests readings, withholds the departures, and ends.
// The readings wake the QWorker, and the next round decides by them. No reconciliation waits for a broker.
type freshness struct {
	// now is when the present round began.
	now      time.Time
	requests map[backlog.Key]*request
	// asked is true where this round has requested readings, or still waits for them. What it has not asked for serves no
	// later round.
	asked bool
	// failure is why those could not be let go whom the last fresh reading would have let go.
	failure error
}

// request is a reading that was requested.
type request struct {
	answer <-chan backlog.Reading
	// readAt is when the answer was read, zero until it is there.
	readAt time.Time
	// asked counts the requests in a row of which each but the last had an answer that became too old.
	asked int
}

const (
	// freshFor is for how long an answer serves, or for twice the time that it took where that is longer: a slow queue's
	// answer is to outlast the requests that are made when it is there.
	freshFor = 2 * time.Second
	// mostAsked is how often a queue is asked in a row because its answers became too old. Then the answer serves however
	// old it is: slow queues whose answers wait for each other would otherwise be asked for ever.
	mostAsked = 3
)

// begin begins a round, with the answers that have come to the one before.
func (f *freshness) begin(now time.Time) {
	f.now = now
	if !f.asked {
		f.requests = nil
	}
	f.asked = false
	for key, r := range f.requests {
		select {
		case answer := <-r.answer:
			if r.readAt = answer.ReadAt; answer.Err != nil || answer.ReadAt.IsZero() {
				delete(f.requests, key) // it says why the queue could not be read
			}
		default:
		}
	}
}

// has reports whether each queue was read since that was requested, and not too long ago: the answer of one queue may wait
// for that of another, whose broker hangs. A queue that cannot be read says nothing of its workers, and nobody waits for it.
func (f *freshness) has(readings iter.Seq2[backlog.Key, backlog.Reading]) bool {
	for key, reading := range readings {
		if reading.Err == nil && !f.requests[key].isServedBy(reading, f.now) {
			return false
		}
	}
	return true
}

// ask requests readings of the queues that can be read, but for those that are awaited already or there.
func (f *freshness) ask(readings iter.Seq2[backlog.Key, backlog.Reading], read func(backlog.Key) <-chan backlog.Reading) {
	asked := map[backlog.Key]*request{}
	for key, reading := range readings {
		if reading.Err != nil {
			continue
		}
		r := f.requests[key]
		if !r.isAwaited() && !r.isServedBy(reading, f.now) {
			next := &request{answer: read(key), asked: 1}
			if r.isAnsweredBy(reading) {
				next.asked = r.asked + 1
			}
			r = next
		}
		asked[key] = r
	}
	f.requests, f.asked = asked, true
}

// failing is what a round fails for. One that withholds departures fails as the one before it did, whose departures could
// not be written: the failure stands until they are tried again, and the pause before that grows.
func (f *freshness) failing(d planner.Decision, done []planner.Action, err error) error {
	switch {
	case d.Withheld > 0:
		return errors.Join(f.failure, err)
	case planner.CountLetGo(done) < planner.CountLetGo(d.Actions) && !apierrors.IsConflict(err):
		f.failure = err
	default:
		f.failure = nil
	}
	return err
}

func (r *request) isAwaited() bool { return r != nil && r.readAt.IsZero() }

// isAnsweredBy reports whether a reading is the answer or a later one.
func (r *request) isAnsweredBy(reading backlog.Reading) bool {
	return r != nil && !r.readAt.IsZero() && !reading.ReadAt.Before(r.readAt)
}

// isServedBy reports whether a reading is an answer that still serves.
func (r *request) isServedBy(reading backlog.Reading, now time.Time) bool {
	return r.isAnsweredBy(reading) && (now.Sub(reading.ReadAt) <= max(freshFor, 2*reading.Took) || r.asked >= mostAsked)
}
