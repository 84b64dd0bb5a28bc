package recovery

import (
	"cmp"
	"container/heap"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// parallelCalls bounds how many lists of one broker are returned at once.
const parallelCalls = 32

// pace is how fast one broker is asked. A broker that does not answer is left alone for a pause that doubles: calls
// that hang hold up the reads that share their connection.
type pace struct {
	id    string
	queue queue
	// calls is how many are under way.
	calls int
	// pausedUntil is when the next call may begin, pause how long it is held back, and pausedAt since when.
	pausedUntil, pausedAt time.Time
	pause                 time.Duration
	// unanswered is how many rounds of calls in a row were not answered, and err why the last was not.
	unanswered int
	err        error

	// search is shared with those that see the same keys, nil while that is not known.
	search *search
	// users counts the fleets that work there.
	users int
}

// paces are those of all brokers, by their IDs.
type paces map[string]*pace

func (ps paces) of(id string) *pace {
	p := ps[id]
	if p == nil {
		p = &pace{id: id}
		ps[id] = p
	}
	return p
}

// failuresOf is how often in a row the return of a record's tasks failed where it is, and why.
func (ps paces) failuresOf(r *record) (int, error) { return ps[r.place.Broker].failuresOf(r) }

// noteAnswer is told of each call: when it began, and what came of it.
func (p *pace) noteAnswer(began, now time.Time, err error) {
	switch {
	case !broker.IsUnanswered(err):
		p.pausedUntil, p.pause, p.unanswered, p.err = time.Time{}, 0, 0, nil
	case p.unanswered == 0 || began.After(p.pausedAt): // those that began before are the same failure
		p.pause = pauses.Next(p.pause)
		p.pausedUntil, p.pausedAt = now.Add(p.pause), now
		p.unanswered++
		p.err = err
	}
}

// claimRetry is how soon after a try somebody asks again whether tasks may be returned at a broker. It does not grow: those
// of an operator that was replaced are to be back as soon as its claim has ended.
const claimRetry = time.Second

// hold has no call begin while tasks may not be returned there.
func (p *pace) hold(now time.Time) { p.pausedUntil = now.Add(claimRetry) }

// failuresOf is how often in a row the return of a record's tasks failed, and why. One that waits for its turn
// with a broker that does not answer has failed as those have whose turn it was.
func (p *pace) failuresOf(r *record) (int, error) {
	if r.isDue() && p != nil && p.unanswered > r.failures {
		return p.unanswered, p.err
	}
	return r.failures, r.err
}

// add has a record wait for its turn, once.
func (p *pace) add(r *record, now time.Time) {
	if r.queued || r.called || !r.isDue() {
		return
	}
	r.queued = true
	at := r.next
	if at.Before(now) {
		at = now
	}
	heap.Push(&p.queue, turn{at, r})
}

// drain has nobody wait any more. Whoever did is queued anew where its place is, at the next look.
func (p *pace) drain() {
	for _, waiting := range p.queue {
		waiting.record.queued = false
	}
	p.queue = nil
}

// take is the next record whose turn it is, nil for none.
func (p *pace) take(now time.Time) *record {
	for len(p.queue) > 0 && !p.queue[0].at.After(now) && p.calls < parallelCalls && !now.Before(p.pausedUntil) {
		r := heap.Pop(&p.queue).(turn).record
		if r.queued = false; r.isDue() {
			return r
		}
	}
	return nil
}

// recheckAt is when the next turn comes by the passing of time, zero for never.
func (p *pace) recheckAt() time.Time {
	if len(p.queue) == 0 || p.calls >= parallelCalls {
		return time.Time{}
	}
	if at := p.queue[0].at; at.After(p.pausedUntil) {
		return at
	}
	return p.pausedUntil
}

// turn is a record that waits for a call, and from when on.
type turn struct {
	at     time.Time
	record *record
}

// queue has the earliest first. Its order is the same in each run.
type queue []turn

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(a.at.Compare(b.at), a.record.fleet.name.compare(b.record.fleet.name), cmp.Compare(a.record.worker, b.record.worker)) < 0
}

// Push is heap.Interface's.
func (q *queue) Push(x any) { *q = append(*q, x.(turn)) }

// Pop is heap.Interface's.
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = turn{}
	*q = (*q)[:last]
	return x
}

func (f Fleet) compare(o Fleet) int {
	return cmp.Or(cmp.Compare(f.Namespace, o.Namespace), cmp.Compare(f.Name, o.Name), cmp.Compare(f.UID, o.UID))
}
