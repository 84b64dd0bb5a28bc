package worker

import "time"

// Outcome is how an attempt ended.
type Outcome string

// The outcomes.
const (
	// Done means that the handler returned nil.
	Done Outcome = "done"
	// Retried means that the task failed and is tried again.
	Retried Outcome = "retried"
	// Dead means that the task failed and is a dead letter.
	Dead Outcome = "dead"
	// HandedBack means that the handler handed the task back.
	HandedBack Outcome = "handed_back"
	// NotHeld means that the worker ceased to hold the task during the attempt: what the handler returned is ignored. See
	// ErrNotHeld.
	NotHeld Outcome = "not_held"
)

// Observer is called for each attempt. Its methods are called from many goroutines at once and must not block.
type Observer interface {
	// Started is called before the handler. It is also called, for the last time, for a task that becomes a dead
	// letter because it has ended its workers; that task has no payload if the payload is longer than 1 MiB.
	Started(t *Task)
	// Ended is called when the handler has returned, after took. The broker has not confirmed the outcome yet.
	Ended(t *Task, outcome Outcome, took time.Duration)
}

// A LateObserver is an Observer that is also called when that is seen late: the broker answers at the end of an
// attempt that the worker does not hold the task any more. Ended was called before, with another outcome.
type LateObserver interface {
	Observer
	// EndedInVain is called when an outcome was not recorded, because the worker did not hold the task any more: it is
	// done again elsewhere, or gone with the broker's data.
	EndedInVain(t *Task, outcome Outcome)
}

type noObserver struct{}

func (noObserver) Started(*Task)                       {}
func (noObserver) Ended(*Task, Outcome, time.Duration) {}
