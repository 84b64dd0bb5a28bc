package worker

import (
	"context"
	"time"
)

const (
	// suspectAfter is how many attempts at a task must have ended with their worker for it to be done with nothing
	// else in hand: the next worker to end has only it to blame.
	suspectAfter = 2
	// putOffFor is how long a suspect waits when the worker that took it had something else in hand.
	putOffFor = time.Second
	// mostPutOff is how often it does. The worker that takes it then keeps it, and takes nothing else, until what it
	// has in hand is done: a fleet that is never idle would not do it otherwise.
	mostPutOff = 5
)

// suspect reports whether a task is to be done with nothing else in hand. One that has no attempt left is: what its
// worker was killed for may have been a neighbour of it.
func (r *run) suspect(failed, lost int) bool {
	return lost > 0 && (lost >= suspectAfter || failed+lost > r.options.retries)
}

// givenUp reports whether a task has no attempt left, and was done with nothing else in hand in the last one.
func (r *run) givenUp(t *held) bool {
	return t.Failed+t.Lost > r.options.retries && r.suspect(t.Failed, t.Lost-1)
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
	r.hands.rename(t, item)
	return true, nil
}

// beginAlone begins a suspect once nothing else is in hand. An attempt that it would have to wait for may take long,
// and somebody else may be idle: it is held no longer than patience, and has its turn later.
func (r *run) beginAlone(t *held) error {
	if r.coming != nil {
		return r.receive()
	}
	if len(r.ready) > 1 {
		return r.giveBack(r.ready[1:]...)
	}
	if r.hands.going() == 1 {
		r.ready = nil
		ok, err := r.begin(t)
		if !ok {
			return err
		}
		r.alone = t
		r.slots <- struct{}{}
		r.hand(t)
		return nil
	}
	if len(r.slots) > 0 && t.PutOff() < mostPutOff && time.Since(t.since) >= patience {
		return r.putOff(t)
	}
	r.awaitFreed(min(patience, time.Until(r.nextSweep)))
	return nil
}

// putOff has a suspect wait, so that neither the tasks behind it have to wait for it, nor it for those that are in
// hand here. It is in hand no more, also where no answer came; see giveBack.
func (r *run) putOff(t *held) error {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	_, err := r.store.PutOff(ctx, r.hands.item(t), putOffFor)
	r.hands.drop(t)
	r.ready = nil
	r.nextPromote = time.Time{} // it is known when it is due
	return err
}

// waitAlone takes nothing while a suspect is under way.
func (r *run) waitAlone() error {
	switch {
	case !r.hands.goes(r.alone):
		r.alone = nil
		return nil
	case time.Now().After(r.nextPromote):
		r.promote()
		return nil
	}
	r.awaitFreed(min(time.Until(r.nextSweep), time.Until(r.nextPromote), drainPoll))
	return nil
}
