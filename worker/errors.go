package worker

import (
	"errors"
	"time"
)

// ErrHandBack is returned by a handler that stops early, at a checkpoint of its own, because the worker is to leave
// (see Draining). The task is handed back to the head of the queue, where another worker takes it. No attempt is
// counted.
var ErrHandBack = errors.New("the task is handed back")

// The causes with which a task's context is cancelled; see context.Cause.
var (
	// ErrTimeout means that the task took longer than WithTimeout allows.
	ErrTimeout = errors.New("the task took too long")
	// ErrNotHeld means that the worker does not hold the task any more: the pod was taken for dead and the task given to
	// another worker, which does again what this one still does; or the broker came back without its data.
	ErrNotHeld = errors.New("the worker does not hold the task any more")
	// ErrKilled means that a second SIGINT came: Ctrl-C was pressed twice. A second SIGTERM cuts no task.
	ErrKilled = errors.New("a second SIGINT ended the worker in the middle of its tasks")
)

// errWorkerEnded is the error of a task whose worker was killed in each attempt.
var errWorkerEnded = errors.New("its worker ended before the task did")

// errGone is the error of a handler that neither returned nor panicked: runtime.Goexit, or t.FailNow in a test.
var errGone = errors.New("the handler ended its goroutine")

// Permanent marks an error that another attempt cannot help: the task becomes a dead letter at once. Permanent(nil)
// is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks an error after which the next attempt comes after d, instead of the backoff. The attempt counts.
// RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, max(d, 0)}
}

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }
