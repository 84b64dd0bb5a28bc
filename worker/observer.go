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
	// HandedBack means that the handler gave the task back.
	HandedBack Outcome = "handed_back"
	// Lost means that the reservation was lost while the attempt went on: what the handler returned counts for
	// nothing. See ErrLost.
	Lost Outcome = "lost"
)

// Observer is told of each attempt. Its methods are called from many goroutines at once and must not block.
type Observer interface {
	// Started is called before the handler. A task that is given up because it has ended its workers is told of, too, for
	// the last time, and without its payload where that is longer than 1 MiB.
	Started(t *Task)
	// Ended is called when the handler has returned, after took. What comes of the task is not acknowledged yet.
	Ended(t *Task, outcome Outcome, took time.Duration)
}

// A LossObserver is an Observer that is also told of reservations whose loss is seen only when the broker is told
// of the end, after Ended with another outcome.
type LossObserver interface {
	Observer
	// EndedInVain is called when nothing has come of an outcome, because the task was not the worker's any more:
	// it is done again elsewhere, or gone with the broker's data.
	EndedInVain(t *Task, outcome Outcome)
}

type noObserver struct{}

func (noObserver) Started(*Task)                       {}
func (noObserver) Ended(*Task, Outcome, time.Duration) {}
