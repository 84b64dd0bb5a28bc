package worker

import (
	"context"

	"github.com/quickube/qscaler/worker/internal/store"
)

// fetch has the payload of a task come that is too long for one step, part by part. It belongs to the attempt: what it
// ends the worker for, as when the memory is too small, counts like what the handler does. There is nothing when the task
// was lost, the worker is killed, or Redis refuses it.
func (r *run) fetch(t *held) *Task {
	element := append(make([]byte, 0, t.Size), t.Element...)
	for len(element) < t.Size {
		var (
			part string
			ours bool
		)
		err := r.untilAnswered(func(ctx context.Context) (err error) {
			part, ours, err = r.store.Fetch(ctx, t.Item, len(element))
			return err
		})
		if err != nil {
			r.complain(err)
		}
		if err != nil || !ours || part == "" {
			return nil
		}
		element = append(element, part...)
	}
	if t.Payload == "" { // the headers are longer than a producer of the SDK's can make them
		return taskOf(store.Parsed(string(element)))
	}
	task := taskOf(t.Item)
	task.Payload = element[len(t.Element)-len(t.Payload):]
	return task
}
