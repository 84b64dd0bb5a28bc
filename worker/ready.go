package worker

import (
	"context"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

// beginReady begins the oldest task that is reserved. Tasks that have waited for a hand too long are given
// back: somebody else may be idle.
func (r *run) beginReady() error {
	if t := r.ready[0]; r.suspect(t.Failed, t.Lost) && !r.givenUp(t) {
		return r.beginAlone(t)
	}
	t := r.ready[0]
	free := r.awaitHand(patience - time.Since(t.since))
	if time.Since(t.since) >= patience {
		// Those for which there are hands are begun, however late: others would get no further with them.
		if late := r.late(cap(r.slots) - len(r.slots)); len(late) > 0 {
			return r.giveBack(late...)
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

// late has the tasks that have no hand, where the first of them has waited too long.
func (r *run) late(free int) []*held {
	if free >= len(r.ready) || time.Since(r.ready[free].since) < patience {
		return nil
	}
	return r.ready[free:]
}

// hand has a hand do a task: one that is free, or another. A hand stays for the next task, because a new
// goroutine would have to grow its stack anew.
func (r *run) hand(t *held) {
	select {
	case r.begun <- t:
	default:
		go r.attempts(t)
	}
}

// attempts does a task and those that come after it, until there are no more to come.
func (r *run) attempts(t *held) {
	for ; t != nil; t = <-r.begun {
		r.attempt(t)
	}
}

// giveBack returns the youngest of those that are reserved and not begun. They are in hand no more, also where no answer
// came: what is still in the list then is found by the next sweep, and gets another reservation before it is begun, so
// that a return which comes late finds nothing. It is as many of them as go in one step.
func (r *run) giveBack(tasks ...*held) error {
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
