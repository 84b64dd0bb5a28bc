package recovery

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/backoff"
)

// State is where a dead worker stands.
type State int

// The states. A record that has none of them is dropped.
const (
	// Ended: its pod is there, and all containers have ended. Its tasks are to be returned.
	Ended State = iota + 1
	// Returned: its pod is there, and its tasks are back.
	Returned
	// Gone: its pod is not there as far as the cache shows. Its tasks are to be returned, once the API server confirms it.
	Gone
	// Lingering: its pod is gone, and its tasks are back. Its list is watched for tasks that turn up late.
	Lingering

	dropped State = 0
)

// lingering is for how long something may turn up in the list of a worker that is gone: a request that it had on the way, in
// a connection that hung, can move a task there after the list was returned.
const lingering = time.Minute

// pauses are those after failures, of one record, of a broker and of a search alike.
var pauses = backoff.Policy{First: time.Second, Longest: time.Minute}

// record is one dead worker.
type record struct {
	worker, revision string
	// hostName and podIP are those that it was last seen with.
	hostName, podIP string
	fleet           *fleet
	place           Place
	state           State

	// found is true where nobody knew of it before a search.
	found bool
	// since is when its pod was noticed to be gone.
	since time.Time
	// returned is when its tasks were last returned.
	returned time.Time

	// next is when the next try is due, and pause how long the last pause was; 0 where no try has failed.
	next  time.Time
	pause time.Duration
	// failures is how often in a row a try failed, and err why it was the last time.
	failures int
	err      error
	// unasked is true where the API server was last to say whether the pod is gone, and did not.
	unasked bool

	// queued is true while it waits in its broker's queue, called while a call of it is under way.
	queued, called bool
}

// isDue reports whether its tasks are to be returned.
func (r *record) isDue() bool { return r.state == Ended || r.state == Gone }

// seen is the change when the pod is there.
func (r *record) seen(ended bool) {
	switch {
	case !ended:
		r.state = dropped
	case r.state != Returned:
		r.state = Ended
	}
}

// vanished is the change when the pod, which was there, is gone.
func (r *record) vanished(now time.Time) {
	r.since = now
	if r.state == Returned {
		r.state, r.returned = Lingering, now
		return
	}
	r.state = Gone
}

// isUnplaced reports whether nobody knows where the worker was at work. Its tasks cannot be returned.
func (r *record) isUnplaced() bool { return r.place == Place{} }

// placeAmong is the place where the worker was known to be at work, or was found, as the fleet has it now: nobody knows any
// more where those of its revision work. It is the zero place where the fleet does not have it.
func (r *record) placeAmong(places []Place) Place {
	i := slices.IndexFunc(places, func(p Place) bool { return p.site() == r.place.site() })
	if r.isUnplaced() || i < 0 {
		return Place{}
	}
	return places[i]
}

// age is the change by time alone. A worker of which nobody knows where it was at work is kept until a search has looked for
// it at each place of the fleet. Whatever turns up later is found by another search. A fleet that is being deleted keeps
// it, to tell of it.
func (r *record) age(now time.Time) {
	if r.state == Gone && r.isUnplaced() && !r.fleet.deleting && !now.Before(r.since.Add(searchEvery)) {
		r.state = dropped
	}
}

// read is the change by a reading of its queue. A list is watched until it is read when nothing can turn up there any
// more: while the broker cannot be read, nobody knows. Failures count those of the broker as a whole too.
func (r *record) read(reading backlog.Reading, failures int) {
	held, counted := reading.Depth.Held[r.worker]
	switch {
	case r.state == Lingering && reading.ReadAt.After(r.returned) && held > 0: // one from before says nothing of late tasks
		r.state = Gone
	case r.state == Lingering && reading.Err == nil && reading.ReadAt.Sub(r.returned) >= lingering: // not by the time alone
		r.state = dropped
	case r.state == Gone && failures > 0 && counted && held == 0 && reading.Err == nil && reading.ReadAt.Sub(r.since) >= lingering:
		r.state = dropped // nothing is left to be returned, and nothing can turn up any more
	}
}

// succeeded is the change when its tasks are back.
func (r *record) succeeded(now time.Time) {
	r.next, r.pause, r.failures, r.err = time.Time{}, 0, 0, nil
	switch r.state {
	case Ended:
		r.state = Returned
	case Gone:
		r.state, r.returned = Lingering, now
	}
}

// failed is the change when its tasks could not be returned.
func (r *record) failed(now time.Time, err error) {
	r.postpone(now)
	r.failures++
	r.err = err
}

// unconfirmed is the change when the API server still has the pod that the cache does not show.
func (r *record) unconfirmed(now time.Time) {
	r.postpone(now)
	r.failures, r.err = 0, nil
}

func (r *record) postpone(now time.Time) {
	r.pause = pauses.Next(r.pause)
	r.next = now.Add(r.pause)
}
