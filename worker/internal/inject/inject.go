// Package inject lets the package workertest put another broker under a worker.
package inject

import (
	"context"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

// Broker takes the place of what the environment describes.
type Broker struct {
	Queue     string
	DrainFile string
	Store     store.Store
	// Killed, where it is closed, is what a second SIGINT is.
	Killed <-chan struct{}
	// Looks has the drain file be looked at: each channel that comes is closed once it was. Nil where nobody asks.
	Looks <-chan chan<- struct{}
	// Now is the time. Nil is time.Now.
	Now func() time.Time
	// WithTimeout bounds an attempt, as context.WithTimeoutCause does. Nil is that one.
	WithTimeout func(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc)
}

type key struct{}

// With returns a context under which a worker works on b.
func With(ctx context.Context, b Broker) context.Context { return context.WithValue(ctx, key{}, b) }

// From is the broker that a context carries.
func From(ctx context.Context) (b Broker, ok bool) {
	b, ok = ctx.Value(key{}).(Broker)
	return b, ok
}
