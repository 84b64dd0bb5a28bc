package worker

import (
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

// intake is what takeTasks keeps in mind.
type intake struct {
	// ready has the tasks that are reserved and not begun.
	ready []*held
	// orphans are what the worker's own list holds and nobody has in hand: left by a process that was
	// killed, or reserved by a command whose answer was lost.
	orphans []store.Listed
	// coming is where tasks come in that were asked for while others were ready; nil when none were.
	coming chan reserved
	// alone is the suspect that is under way with nothing else in hand; nil when there is none.
	alone *held
	// dry is true when the queue had fewer tasks than were asked for.
	dry         bool
	nextSweep   time.Time // zero when an answer was lost
	nextPromote time.Time
	// unsettled is when the worker was to leave and had first nothing to wait for but Redis' refusals.
	unsettled time.Time
	// promoted is true until something is taken after due tasks were looked for: however many are due, and whatever
	// becomes of the look, those that wait have their turn.
	promoted bool
}

// takeTasks takes tasks and begins them, until the worker is to leave and has nothing in hand, or is locked out and no
// handler is at work.
func (r *run) takeTasks() error {
	var locked lockout
	for failures := 0; ; {
		select {
		case <-r.killed:
			return ErrKilled
		default:
		}
		reason, leaving := r.leave.why()
		var err error
		if leaving {
			var left bool
			if left, err = r.depart(); left {
				r.options.log.Info("leaving", "queue", r.queue, "reason", reason)
				return nil
			}
		} else {
			err = r.turn()
		}
		if err == nil {
			failures = 0
			if !r.nextSweep.IsZero() { // the broker has answered since the last error
				locked = lockout{}
			}
			continue
		}
		r.complain(err)
		if over := locked.over(err, r.options.lockout); over != nil && len(r.slots) == 0 {
			return over // what has ended and cannot be acknowledged is done again, now or never
		}
		if failures++; leaving && failures > 1 && r.hands.count() == 0 {
			// If the broker stays away, nothing is gained by waiting: what a lost answer may have left in our
			// list is given back by the operator once the pod is gone.
			r.options.log.Warn("leaving, though the broker has not answered as it should", "queue", r.queue, "reason", reason)
			return nil
		}
		r.nextSweep, r.dry = time.Time{}, false
		select {
		case <-time.After(retryPause):
		case <-r.killed:
		}
	}
}

// turn is one step: look after the list, begin what is ready, or take more.
func (r *run) turn() error {
	now := time.Now()
	switch {
	case now.After(r.nextSweep):
		return r.sweep()
	case len(r.orphans) > r.free():
		return r.release(r.free())
	case r.alone != nil:
		return r.waitAlone()
	case now.After(r.nextPromote) && !r.promoted: // also while tasks are ready: there may always be some
		r.promote()
		r.promoted = true
		return nil
	case len(r.ready) > 0:
		return r.beginReady()
	case r.coming != nil:
		return r.receive()
	case !r.awaitHand(time.Until(r.nextSweep)):
		return nil
	case len(r.orphans) > 0:
		return r.adopt()
	}
	if r.dry {
		return r.takeOne()
	}
	return r.takeMany()
}

// awaitHand waits until one more attempt may begin, at most so long, and not while the worker is to leave.
func (r *run) awaitHand(d time.Duration) bool {
	select {
	case r.slots <- struct{}{}:
		<-r.slots // nobody else takes them
		return true
	default:
	}
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case r.slots <- struct{}{}:
		<-r.slots
		return true
	case <-timer.C:
	case <-r.leave.signal():
	case <-r.killed:
	}
	return false
}

// free is how many attempts may begin.
func (r *run) free() int {
	if r.alone != nil {
		return 0
	}
	return cap(r.slots) - len(r.slots)
}

// depart is one step on the way out: give back what was not begun, wait for what was, and leave with an empty
// list.
func (r *run) depart() (left bool, err error) {
	switch {
	case r.coming != nil:
		return false, r.receive()
	case len(r.ready) > 0:
		return false, r.giveBack(r.ready...)
	case time.Now().After(r.nextSweep):
		return false, r.sweep()
	case len(r.orphans) > 0:
		return false, r.release(0)
	case r.hands.count() > 0 && r.hands.going() == 0 && r.unsettledFor() >= r.options.lockout:
		// What Redis refuses may be refused for good. Whoever finds the tasks in our list does them again.
		r.options.log.Warn("leaving, though Redis refuses to record what came of tasks: they are done again", "queue", r.queue, "tasks", r.hands.count())
		return true, nil
	case r.hands.count() > 0:
		r.awaitFreed(min(drainPoll, time.Until(r.nextSweep)))
		return false, nil
	}
	err = r.sweep()
	return err == nil && len(r.orphans) == 0, err
}

// unsettledFor is since when there is nothing in hand but what Redis refuses to record the end of, as the worker that is
// to leave has seen it.
func (r *run) unsettledFor() time.Duration {
	if r.unsettled.IsZero() {
		r.unsettled = time.Now()
	}
	return time.Since(r.unsettled)
}

// awaitFreed waits until there is less in hand, at most so long, and not when the worker is killed.
func (r *run) awaitFreed(d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-r.hands.freed:
	case <-timer.C:
	case <-r.killed:
	}
}
