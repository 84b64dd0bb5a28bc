package worker

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

const (
	// takeWait is how long an empty queue is waited on before the worker looks up.
	takeWait = time.Second
	// promoteEvery is how often tasks that are due are looked for, while none is known to be due earlier.
	promoteEvery = time.Second
	// sweepEvery is how often the worker's own list is compared with what is in hand.
	sweepEvery = 5 * time.Second
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
	// promoted is true until something is taken after due tasks were looked for: however many are due, and whatever
	// becomes of the look, those that wait have their turn.
	promoted bool
}

// reserved is what came of a reservation.
type reserved struct {
	items []store.Item
	at    time.Time
	err   error
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
	case len(r.ready) > 0:
		return r.beginReady()
	case r.coming != nil:
		return r.receive()
	case !r.awaitHand(time.Until(r.nextSweep)):
		return nil
	case len(r.orphans) > 0:
		return r.adopt()
	case now.After(r.nextPromote) && !r.promoted:
		r.promote()
		r.promoted = true
		return nil
	}
	r.promoted = false
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
	if ahead := r.pace.ahead(cap(r.slots)); r.coming == nil && !r.dry && len(r.ready) < ahead/2 {
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

// takeAhead reserves tasks while others are ready, so that short ones do not wait for the broker.
func (r *run) takeAhead(n int) {
	coming := make(chan reserved, 1)
	r.coming = coming
	go func() {
		ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
		defer cancel()
		items, err := r.store.Reserve(ctx, n, true)
		coming <- reserved{items, time.Now(), err}
	}()
}

// receive takes up what was asked for ahead.
func (r *run) receive() error {
	came := <-r.coming // it has a time-out of its own
	r.coming = nil
	if came.err != nil {
		return came.err
	}
	r.dry = len(came.items) == 0
	r.takeUp(came.at, came.items...)
	return nil
}

// takeMany reserves a task for each free hand, and some more while tasks are short.
func (r *run) takeMany() error {
	free := r.free()
	n := free + r.pace.ahead(cap(r.slots))
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	items, err := r.store.Reserve(ctx, n, n > free)
	if err != nil {
		return err
	}
	r.dry = len(items) == 0
	r.takeUp(time.Now(), items...)
	return nil
}

// takeOne waits for a task.
func (r *run) takeOne() error {
	wait := min(takeWait, max(time.Until(r.nextPromote), time.Millisecond), max(time.Until(r.nextSweep), time.Millisecond))
	ctx, cancel := context.WithTimeout(r.tasks, wait+operationTimeout)
	defer cancel()
	item, ok, err := r.store.Take(ctx, wait)
	if err != nil || !ok {
		return err
	}
	r.dry = false
	r.takeUp(time.Now(), item)
	return nil
}

func (r *run) takeUp(since time.Time, items ...store.Item) {
	for _, item := range items {
		r.ready = append(r.ready, r.hands.take(item, since))
	}
}

// adopt takes up an orphan.
func (r *run) adopt() error {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	item, ok, err := r.store.Adopt(ctx, r.orphans[0])
	if err != nil {
		return err
	}
	r.orphans = r.orphans[1:]
	if ok {
		r.takeUp(time.Now(), item)
	}
	return nil
}

// promote has tasks that are due wait in the queue. An error is no reason to take nothing: it may concern them alone.
func (r *run) promote() {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	next, err := r.store.Promote(ctx)
	if err != nil {
		r.complain(err)
	}
	const part = 5 // a fifth more or less, so that a thousand workers do not ask at once
	pause := promoteEvery - promoteEvery/part + rand.N(2*promoteEvery/part)
	if err == nil && next >= 0 {
		pause = min(pause, next)
	}
	r.nextPromote = time.Now().Add(pause)
}

// sweep compares the worker's own list with what is in hand. What nobody has in hand is an orphan; what is in
// hand and not in the list any more is lost.
func (r *run) sweep() error {
	if r.coming != nil {
		// What has been asked for and not been answered would look like nobody's.
		if err := r.receive(); err != nil {
			return err
		}
	}
	if !r.nextSweep.IsZero() { // no answer was lost: the broker need not read all payloads in the list
		if same, err := r.unchanged(); err != nil || same {
			r.nextSweep = time.Now().Add(sweepEvery)
			return err
		}
	}
	before := r.hands.snapshot()
	listed := make(map[string]bool, len(before))
	var orphans []store.Listed
	for page := (store.Page{}); ; {
		var err error
		if page, err = r.held(page); err != nil {
			return err
		}
		for _, l := range page.Listed {
			if before[l.Head] == nil && !listed[l.Head] {
				orphans = append(orphans, l)
			}
			listed[l.Head] = true
		}
		if page.Next >= page.Length {
			break
		}
	}
	r.orphans = orphans
	for _, t := range r.hands.lose(before, listed) {
		r.options.log.Warn("a task's reservation is lost", "queue", r.queue, "id", t.ID)
	}
	r.nextSweep = time.Now().Add(sweepEvery)
	return nil
}

// unchanged reports whether the list is as long as it should be, in a moment in which nothing is settled. It has what is
// in hand, then: the list is lost as a whole, and nobody's tasks come to it without an error.
func (r *run) unchanged() (bool, error) {
	before, still := r.hands.still()
	if !still {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	n, err := r.store.Length(ctx)
	after, still := r.hands.still()
	return still && n == before && n == after, err
}

func (r *run) held(before store.Page) (store.Page, error) {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	return r.store.Held(ctx, before)
}

// giveBack returns the youngest of those that are reserved and not begun. They are in hand no more, also where no answer
// came: what is still in the list then is found by the next sweep, and gets another reservation before it is begun, so
// that a return which comes late finds nothing.
func (r *run) giveBack(tasks ...*held) error {
	items := make([]store.Item, len(tasks))
	for i, t := range slices.Backward(tasks) { // the youngest first: the oldest is the head of the queue again
		items[len(items)-1-i] = t.Item
	}
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	_, err := r.store.Return(ctx, items...)
	r.hands.drop(tasks...)
	r.ready, r.dry = r.ready[:len(r.ready)-len(tasks)], false
	return err
}

// free is how many attempts may begin.
func (r *run) free() int {
	if r.alone != nil {
		return 0
	}
	return cap(r.slots) - len(r.slots)
}

// release gives the youngest orphans back, all but so many: somebody else may be idle.
func (r *run) release(keep int) error {
	const most = 100 // at once: the broker has to look for each
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	n, err := r.store.Release(ctx, r.orphans[max(keep, len(r.orphans)-most):]...)
	if err != nil {
		return err
	}
	r.orphans, r.dry = r.orphans[:len(r.orphans)-n], false
	return nil
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
	case r.hands.count() > 0:
		r.awaitFreed(min(drainPoll, time.Until(r.nextSweep)))
		return false, nil
	}
	err = r.sweep()
	return err == nil && len(r.orphans) == 0, err
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
