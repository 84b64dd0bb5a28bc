package worker

import (
	"context"

	"github.com/quickube/qscaler/worker/drain"
)

type drainingKey struct{}

// Draining returns a channel that is closed when the worker is to leave. A handler need not look: its task is
// to be finished, and is never cut. One that can stop early, at a checkpoint of its own, may save what it has
// and return ErrHandBack. Outside of a task the channel is nil, and never closed.
func Draining(ctx context.Context) <-chan struct{} {
	w, ok := ctx.Value(drainingKey{}).(*drain.Watcher)
	if !ok {
		return nil
	}
	return w.Done()
}

// lookWhenAsked has a test know that the drain file was looked at; see inject.Broker.
func (r *run) lookWhenAsked(ctx context.Context, looks <-chan chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case looked := <-looks:
			r.leave.Look()
			close(looked)
		}
	}
}
