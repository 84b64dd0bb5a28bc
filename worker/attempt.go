package worker

import (
	"context"
	"errors"
	"time"
)

// attempt does a task and has what comes of it settled.
func (r *run) attempt(t *held) {
	defer func() { <-r.slots }()
	task := taskOf(t.Item)
	if r.givenUp(t) {
		// The last attempt was lost with its worker, and there is to be no other.
		task.Attempt = t.Failed + t.Lost
		r.options.observer.Started(task)
		r.end(t, task, errWorkerEnded, 0)
		return
	}
	// Not under the context of all tasks: to be known to it costs a task more than all else. See hands.end.
	ctx, cancel := context.WithCancelCause(r.base)
	defer cancel(nil)
	if !r.hands.begin(t, cancel) {
		r.hands.drop(t)
		return
	}
	if r.options.timeout > 0 {
		timer := time.AfterFunc(r.options.timeout, func() { cancel(ErrTimeout) })
		defer timer.Stop()
	}
	r.options.observer.Started(task)
	began := time.Now()
	err := r.handler(ctx, task)
	took := time.Since(began)
	r.pace.note(took)
	if err != nil && errors.Is(context.Cause(ctx), ErrTimeout) && errors.Is(err, context.Canceled) {
		err = ErrTimeout // what the handler says is only that it was told to stop
	}
	r.end(t, task, err, took)
}

// end decides what comes of an attempt.
func (r *run) end(t *held, task *Task, err error, took time.Duration) {
	var (
		permanent *permanentError
		after     *retryAfterError
		s         settlement
	)
	switch failures := t.Failed + t.Lost + 1; {
	case err == nil:
		s = settlement{outcome: Done}
	case errors.Is(err, ErrHandBack):
		s = settlement{outcome: HandedBack}
		if _, leaving := r.leave.why(); !leaving {
			s.wait = r.options.backoff(1) // at once it would be ours again, and again
		}
	case errors.As(err, &permanent), failures > r.options.retries:
		s = settlement{outcome: Dead, letter: letterOf(t, task.Attempt, err, time.Now())}
	case errors.As(err, &after):
		s = settlement{outcome: Retried, wait: after.after}
	default:
		s = settlement{outcome: Retried, wait: r.options.backoff(failures)}
	}
	if s.outcome == Dead {
		r.options.log.Error("a task is a dead letter", "queue", r.queue, "id", task.ID, "attempts", task.Attempt, "error", err)
	}
	r.options.observer.Ended(task, s.outcome, took)
	r.hands.settle(t)
	s.task = t
	select {
	case r.settlements <- s:
	case <-r.tasks.Done(): // killed: whoever finds the task in the list does it again
	}
}
