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
)

// Observer is told of each attempt. Its methods are called from many goroutines at once and must not block.
type Observer interface {
	// Started is called before the handler.
	Started(t *Task)
	// Ended is called when the handler has returned, after took. What comes of the task is not acknowledged yet.
	Ended(t *Task, outcome Outcome, took time.Duration)
}

type noObserver struct{}

func (noObserver) Started(*Task)                       {}
func (noObserver) Ended(*Task, Outcome, time.Duration) {}
