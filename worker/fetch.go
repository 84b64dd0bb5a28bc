package worker

import (
	"context"
	"errors"

	"github.com/quickube/qscaler/worker/internal/store"
)

// Why a task that was reserved without its payload is not begun.
var (
	errNotThere = errors.New("it is not in the worker's list any more")
	errLeaving  = errors.New("the worker is to leave")
)

// fetch reads the payload of a task that is too long for one step, part by part. It belongs to the attempt: if it
// ends the worker, as when the memory is too small, that counts as if the handler had done it.
func (r *run) fetch(t *held) (*Task, error) {
	element := append(make([]byte, 0, t.Size), t.Element...)
	for len(element) < t.Size {
		part, err := r.fetchPart(t, len(element))
		if err != nil {
			return nil, err
		}
		element = append(element, part...)
	}
	if t.Payload == "" { // the headers are longer than a producer of the SDK's can make them
		return taskOf(store.Parsed(string(element))), nil
	}
	task := taskOf(t.Item)
	task.Payload = element[len(t.Element)-len(t.Payload):]
	return task, nil
}

// fetchPart reads what comes after the first so many bytes. It stops when Redis refuses it, and when the worker is to
// leave: the handler has not begun, and another worker may be able to do the task.
func (r *run) fetchPart(t *held, after int) (string, error) {
	for {
		part, ours, err := r.fetchOnce(t, after)
		if err == nil {
			if !ours || part == "" {
				r.options.log.Warn("a task is not held any more", "queue", r.queue, "id", t.ID)
				err = errNotThere
			}
			return part, err
		}
		if errors.Is(err, errLeaving) || r.tasks.Err() != nil {
			return "", err
		}
		r.complain(err)
		if _, refused := refusal(err); refused {
			return "", err
		}
		r.pause(retryPause)
	}
}

// fetchOnce asks for a part. One part at a time is on its way: all use one connection, and several would each take
// longer.
func (r *run) fetchOnce(t *held, after int) (part string, ours bool, err error) {
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-r.leave.Done():
	case <-r.tasks.Done():
	}
	if _, leaving := r.leave.Told(); leaving || r.tasks.Err() != nil {
		return "", false, errLeaving
	}
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	return r.store.Fetch(ctx, r.hands.item(t), after)
}
