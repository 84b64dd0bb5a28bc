package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// attempt does a task, and passes on what comes of it.
func (r *run) attempt(t *held) {
	defer func() { <-r.slots }()
	task := taskOf(t.Item)
	if r.givenUp(t) {
		// The last attempt crashed, and no other is allowed.
		task.Attempt = t.Failed + t.Crashed
		r.observe(func(o Observer) { o.Started(task) })
		r.end(t, task, errWorkerEnded, meaning{}, 0)
		return
	}
	if !t.Whole() {
		var err error
		if task, err = r.fetch(t); err != nil {
			r.options.log.Debug("a task is not begun", "queue", r.queue, "id", t.ID, "why", err)
			r.hands.drop(t) // if it is in our list, the next sweep finds it
			return
		}
	}
	// Not under the context of all tasks: to be registered there costs a task more than everything else. See
	// hands.end.
	ctx, cancel := context.WithCancelCause(withTask(r.base, task))
	defer cancel(nil)
	if !r.hands.begin(t, cancel) {
		r.hands.drop(t)
		return
	}
	if r.options.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = r.withTimeout(ctx, r.options.timeout, ErrTimeout)
		defer stop()
	}
	r.observe(func(o Observer) { o.Started(task) })
	began := time.Now()
	returned := false
	defer func() { // of a handler that ends its goroutine, as t.FailNow does
		if !returned {
			r.end(t, task, errGone, meaning{}, time.Since(began))
		}
	}()
	err := r.handler(ctx, task)
	took := time.Since(began)
	r.pace.note(took)
	says, err := meaningOf(err)
	returned = true
	if err != nil && errors.Is(context.Cause(ctx), ErrTimeout) && !says.timeout {
		err = fmt.Errorf("%w, %w", ErrTimeout, err) // added to the handler's error, which may decide what comes of the task
	}
	if errors.Is(context.Cause(ctx), ErrNotHeld) {
		r.observe(func(o Observer) { o.Ended(task, NotHeld, took) })
		r.hands.drop(t) // the list has nothing of ours to settle
		return
	}
	r.end(t, task, err, says, took)
}

// end has what comes of an attempt be settled.
func (r *run) end(t *held, task *Task, err error, says meaning, took time.Duration) {
	s := r.decide(t, task, err, says)
	s.task, s.seen = t, task
	r.observe(func(o Observer) { o.Ended(task, s.outcome, took) })
	r.hands.settle(t)
	select {
	case r.settlements <- s:
	case <-r.tasks.Done(): // killed: the worker that finds the task in the list does it again
	}
}

// decide is what comes of an attempt that ended with such an error.
func (r *run) decide(t *held, task *Task, err error, says meaning) settlement {
	if err == nil {
		return settlement{outcome: Done}
	}
	if says.panicked != nil {
		r.options.log.Error("a handler panicked", "queue", r.queue, "id", task.ID, "attempt", task.Attempt,
			"panic", says.panicked.Value, "stack", string(says.panicked.Stack))
	}
	switch failures := t.Failed + t.Crashed + 1; {
	case says.handBack:
		s := settlement{outcome: HandedBack}
		if _, leaving := r.leave.Told(); !leaving {
			s.wait = r.backoff(1) // at once it would be ours again, and again
		}
		return s
	case says.permanent, failures > r.options.retries:
		r.options.log.Error("a task is a dead letter", "queue", r.queue, "id", task.ID, "attempts", task.Attempt, "error", err)
		return settlement{outcome: Dead, letter: letterOf(t, task.Attempt, err, r.now())}
	case says.after != nil:
		return settlement{outcome: Retried, wait: says.after.after}
	default:
		return settlement{outcome: Retried, wait: r.backoff(failures)}
	}
}

// observe calls the observer. A panic there must not end a worker that has other tasks in hand.
func (r *run) observe(tell func(Observer)) {
	defer r.rescue("the observer")
	tell(r.options.observer)
}

// backoff is the pause before the next attempt.
func (r *run) backoff(failures int) (wait time.Duration) {
	defer r.rescue("the back-off")
	wait = Exponential(DefaultMinBackoff, DefaultMaxBackoff)(failures) // if it panics
	return r.options.backoff(failures)
}

// rescue is deferred around code of the user that is not a handler.
func (r *run) rescue(what string) {
	if v := recover(); v != nil {
		r.options.log.Error(what+" panicked", "queue", r.queue, "panic", v, "stack", string(debug.Stack()))
	}
}
