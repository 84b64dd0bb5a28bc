package worker

import (
	"context"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

// Task is one message, and what is known of it.
type Task struct {
	// ID identifies the task. It is the same in all attempts: use it to make a handler idempotent.
	ID string
	// Payload is what the producer pushed. Handlers may keep it and must not change it.
	Payload []byte
	// Headers are the producer's; nil where there are none, as after an LPUSH.
	Headers map[string]string
	// Attempt is 1 for the first attempt.
	Attempt int
	// First is when the task was enqueued by a Client, or else first reserved by a worker.
	First time.Time
}

type taskKey struct{}

// TaskFrom returns the task that a handler was called for, by the handler's context. It is for handlers made by JSON,
// and for functions that a handler calls. Outside of a task it is nil.
func TaskFrom(ctx context.Context) *Task {
	t, _ := ctx.Value(taskKey{}).(*Task)
	return t
}

func withTask(ctx context.Context, t *Task) context.Context {
	if TaskFrom(ctx) == t {
		return ctx
	}
	return context.WithValue(ctx, taskKey{}, t)
}

// taskOf is an item as a handler sees it. If the item is not complete, its payload comes later.
func taskOf(item store.Item) *Task {
	t := &Task{ID: item.ID, Headers: headersOf(item), Attempt: item.Attempt(), First: item.First}
	if item.Whole() {
		t.Payload = []byte(item.Payload)
	}
	return t
}

// headersOf has the producer's headers, without those of the SDK itself.
func headersOf(item store.Item) (headers map[string]string) {
	for name, value := range item.Headers {
		if store.IsOwnHeader(name) {
			continue
		}
		if headers == nil {
			headers = make(map[string]string, len(item.Headers))
		}
		headers[name] = value
	}
	return headers
}
