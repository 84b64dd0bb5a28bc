package worker

import (
	"context"
	"time"

	"github.com/quickube/qscaler/worker/drain"
	"github.com/quickube/qscaler/worker/internal/store"
)

// intake is what takeTasks keeps in mind.
type intake struct {
	// ready has the tasks that are reserved and not begun.
	ready []*held
	// orphans are what the worker's own list holds and nobody has in hand: left by a process that was
	// killed, or reserved by a command whose answer did not arrive.
	orphans []store.Listed
	// coming is where tasks come in that were asked for while others were ready; nil when none were.
	coming chan reserved
	// dry is true when the queue had fewer tasks than were asked for.
	dry         bool
	nextSweep   time.Time // zero when an answer did not arrive
	nextPromote time.Time
	// idle is since when the worker is to leave and no task goes any more; zero while there are some.
	idle time.Time
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
		reason, leaving := r.leave.Told()
		if r.stuck(leaving) {
			r.abandon()
			r.kill(nil) // what is still tried to be recorded
			return nil
		}
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
			// If the broker stays away, nothing is gained by waiting: what a command without an answer may have left in our
			// list is reclaimed by the operator once the pod is gone.
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
	case now.After(r.nextPromote) && !r.promoted: // also while tasks are ready: there may always be some
		r.promote()
		r.promoted = true
		return nil
	case len(r.ready) > 0:
		return r.beginReady()
	case r.coming != nil:
		return r.receive()
	case !r.awaitHand(min(time.Until(r.nextSweep), max(time.Until(r.nextPromote), leastPause))):
		r.promoted = false // a worker that can take nothing looks for due tasks, too: others may be idle
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
	case <-r.leave.Done():
	case <-r.killed:
	}
	return false
}

// free is how many attempts may begin.
func (r *run) free() int {
	return cap(r.slots) - len(r.slots)
}

// depart is one step on the way out: hand back what was not begun, wait for what was, and leave with an empty
// list.
func (r *run) depart() (left bool, err error) {
	switch {
	case r.coming != nil:
		return false, r.receive()
	case len(r.ready) > 0:
		return false, r.handBack(r.ready...)
	case time.Now().After(r.nextSweep):
		return false, r.sweep()
	case len(r.orphans) > 0:
		return false, r.release(0)
	case r.hands.count() > 0:
		r.awaitFreed(min(drain.Interval, time.Until(r.nextSweep)))
		return false, nil
	}
	if err = r.sweep(); err != nil || len(r.orphans) > 0 {
		return false, err
	}
	_, left = r.leave.Look() // the grant may be withdrawn since
	return left, nil
}

// stuck reports whether the worker, which is to leave, has had nothing to wait for but Redis' refusals for too long: they
// may last. Each time it is asked it looks whether that still is so.
func (r *run) stuck(leaving bool) bool {
	switch {
	case !leaving || r.hands.going() > 0:
		r.idle = time.Time{}
	case r.idle.IsZero():
		r.idle = time.Now()
	}
	return !r.idle.IsZero() && time.Since(r.idle) >= r.options.lockout
}

// abandon hands back what Redis refuses to record the end of, where it lets us, so that no attempt at it counts as crashed. What
// stays in our list is reclaimed by the operator.
func (r *run) abandon() {
	left := r.hands.snapshot()
	r.options.log.Warn("leaving, though Redis has not recorded, or not taken back, all that is in the worker's list: it is done again",
		"queue", r.queue, "tasks", len(left))
	for _, t := range left {
		ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
		_, err := r.store.Return(ctx, r.hands.item(t))
		cancel()
		if err != nil {
			r.complain(err)
			return
		}
		r.hands.drop(t)
	}
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
