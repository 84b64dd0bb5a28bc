package worker

import (
	"context"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

// beginReady begins the oldest reserved task. Tasks that have waited for a hand too long are handed back: another
// worker may be idle.
func (r *run) beginReady() error {
	t := r.ready[0]
	if r.suspect(t.Failed, t.Crashed) && !r.givenUp(t) && !r.hasPlace(t) {
		return r.putOff(t)
	}
	free := r.awaitHand(handBackAfter - time.Since(t.since))
	if time.Since(t.since) >= handBackAfter {
		// Tasks for which there are hands are begun, however late: another worker would not be quicker.
		if late := r.late(cap(r.slots) - len(r.slots)); len(late) > 0 {
			return r.handBack(late...)
		}
	}
	if !free {
		return nil
	}
	r.ready = r.ready[1:]
	if ok, err := r.begin(t); !ok {
		return err
	}
	r.slots <- struct{}{}
	r.hand(t)
	ahead := r.pace.ahead(cap(r.slots))
	if r.coming == nil && !r.dry && len(r.orphans) == 0 && len(r.ready) < ahead/2 { // an orphan has its turn when none is ready
		r.takeAhead(ahead)
	}
	return nil
}

// late has the tasks without a hand, if the first of them has waited too long.
func (r *run) late(free int) []*held {
	if free >= len(r.ready) || time.Since(r.ready[free].since) < handBackAfter {
		return nil
	}
	return r.ready[free:]
}

// hand gives a task to a hand: a free one, or a new one. A hand stays for the next task, because a new goroutine
// would have to grow its stack again.
func (r *run) hand(t *held) {
	select {
	case r.begun <- t:
	default:
		go r.attempts(t)
	}
}

// attempts does a task and those that come after it, until no more come.
func (r *run) attempts(t *held) {
	for ; t != nil; t = <-r.begun {
		r.attempt(t)
	}
}

// handBack hands back the youngest of those that are reserved and not begun, as many as fit into one step. They are
// no longer in hand, also when no answer came: the next sweep finds what is still in the list, and reserves it anew
// before it is begun, so that a late return finds nothing.
func (r *run) handBack(tasks ...*held) error {
	tasks = youngest(tasks)
	items := make([]store.Item, len(tasks))
	for i, t := range slices.Backward(tasks) { // the youngest first: the oldest is the head of the queue again
		items[len(items)-1-i] = r.hands.item(t)
	}
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	_, err := r.store.Return(ctx, items...)
	r.hands.drop(tasks...)
	r.ready, r.dry = r.ready[:len(r.ready)-len(tasks)], false
	return err
}

// youngest has the last of the tasks that go together in one step; at least one.
func youngest(tasks []*held) []*held {
	bytes := 0
	for i, t := range slices.Backward(tasks) {
		if bytes += len(t.Name()); bytes > store.StepBytes && i+1 < len(tasks) {
			return tasks[i+1:]
		}
	}
	return tasks
}
