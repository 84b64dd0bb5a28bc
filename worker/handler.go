package worker

import (
	"context"
	"encoding/json"
	"fmt"
)

// Handler does a task. It returns nil when the task is done: then the task is acknowledged, and never done again.
// After an error the task is tried again later (see WithRetries). Permanent makes it a dead letter at once,
// RetryAfter chooses the pause, and ErrHandBack hands it back to the queue.
//
// The context is cancelled when the task's time is over (WithTimeout), when the worker does not hold it any more, and on a second
// SIGINT. It is not cancelled when the worker is told to leave: the task is to be finished; see Draining. A handler
// may be called from many goroutines at once; see WithConcurrency.
//
// A task is done at least once: it is done again when its worker was killed before the acknowledgement.
type Handler func(ctx context.Context, t *Task) error

// Middleware wraps a handler, as net/http's does.
type Middleware func(Handler) Handler

// JSON makes a handler of a function that takes the payload decoded from JSON. A payload that cannot be decoded
// becomes a dead letter at once: another attempt would not help. TaskFrom has the task's identifier, headers and
// attempt.
func JSON[T any](handle func(ctx context.Context, payload T) error) Handler {
	return func(ctx context.Context, t *Task) error {
		var payload T
		if err := json.Unmarshal(t.Payload, &payload); err != nil {
			return Permanent(fmt.Errorf("decoding the payload, %w", err))
		}
		return handle(withTask(ctx, t), payload) // a test calls a handler with any context
	}
}
