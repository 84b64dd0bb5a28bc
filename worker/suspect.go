package worker

import (
	"context"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

const (
	// suspectAfter is how many attempts at a task must have ended with their worker for it to be a suspect: one that is
	// begun only while few others of its kind are under way.
	suspectAfter = 2
	// putOffFor is how long a suspect waits for which the worker has no place.
	putOffFor = time.Second
)

// suspect reports whether a task may be what its workers were killed for. One that has no attempt left is, too: it may
// have had a neighbour that is to blame.
func (r *run) suspect(failed, crashed int) bool {
	return crashed > 0 && (crashed >= suspectAfter || failed+crashed > r.options.retries)
}

// places is how many suspects are under way at once, beside other tasks, if one of them has ended with so many workers:
// half as many for each. The task that kills is in one half each time, and those of the other half are done: it is
// the only suspect after as many steps as the concurrency has binary digits. One that has no attempt left is the only
// suspect in any case.
func (r *run) places(failed, crashed int) int {
	if failed+crashed > r.options.retries {
		return 1
	}
	return max(cap(r.slots)>>(crashed-1), 1)
}

// givenUp reports whether a task has no attempt left, and was the only suspect in the last one.
func (r *run) givenUp(t *held) bool {
	return t.Failed+t.Crashed > r.options.retries && r.suspect(t.Failed, t.Crashed-1) && r.places(t.Failed, t.Crashed-1) == 1
}

// hasPlace reports whether a suspect can begin beside the suspects that are under way.
func (r *run) hasPlace(t *held) bool {
	under := r.hands.suspects()
	places := r.places(t.Failed, t.Crashed)
	for _, other := range under {
		places = min(places, r.places(other.Failed, other.Crashed))
	}
	return len(under) < places
}

// begin has the broker know that an attempt begins, where the end of an earlier one may be unknown. It is not ok
// when the task is not ours any more.
func (r *run) begin(t *held) (ok bool, err error) {
	if !t.Unbegun() || r.givenUp(t) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	item, ok, err := r.store.Begin(ctx, r.hands.item(t))
	if err != nil || !ok {
		r.hands.drop(t) // if it is in our list under either reservation, the next sweep finds it
		return false, err
	}
	r.hands.rename(t, item, r.suspect(t.Failed, t.Crashed))
	return true, nil
}

// putOff has the first of those that are ready wait, a suspect for which there is no place, so that the tasks behind it do
// not wait for it, and an idle worker can take it. It is in hand no more, also where no answer came; see handBack.
func (r *run) putOff(t *held) error {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	_, err := r.store.PutOff(ctx, store.Waiting{Item: r.hands.item(t), For: putOffFor})
	r.hands.drop(t)
	r.ready = r.ready[1:]
	if due := time.Now().Add(putOffFor); r.nextPromote.After(due) {
		r.nextPromote = due
	}
	return err
}
