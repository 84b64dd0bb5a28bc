package workertest

import (
	"context"
	"slices"
	"sync"
	"time"
)

// deadline is the context of an attempt with a time-out, on the broker's clock.
type deadline struct {
	context.Context // which is cancelled with the cause
	cancel          context.CancelCauseFunc
	cause           error
	due             time.Time // by the broker's clock
	real            time.Time

	mu   sync.Mutex
	done chan struct{}
	err  error
}

// Deadline implements context.Context. It is when the time would be over if the clock ran: code that gives it to a
// socket must not find it in the past.
func (d *deadline) Deadline() (time.Time, bool) { return d.real, true }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.done }

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *deadline) end(err, cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err = err
	d.cancel(cause)
	close(d.done)
}

// withTimeout is context.WithTimeoutCause on the broker's clock.
func (b *Broker) withTimeout(parent context.Context, after time.Duration, cause error) (context.Context, context.CancelFunc) {
	d := &deadline{cause: cause, real: time.Now().Add(after), done: make(chan struct{})}
	d.Context, d.cancel = context.WithCancelCause(parent)
	unhook := context.AfterFunc(parent, func() { d.end(parent.Err(), context.Cause(parent)) })
	b.mu.Lock()
	d.due = b.now.Add(after)
	b.deadlines = append(b.deadlines, d)
	b.mu.Unlock()
	return d, func() {
		unhook()
		b.mu.Lock()
		b.deadlines = slices.DeleteFunc(b.deadlines, func(other *deadline) bool { return other == d })
		b.mu.Unlock()
		d.end(context.Canceled, nil)
	}
}

// expire ends the attempts whose time is over. The lock is held.
func (b *Broker) expire() {
	b.deadlines = slices.DeleteFunc(b.deadlines, func(d *deadline) bool {
		up := !d.due.After(b.now)
		if up {
			d.end(context.DeadlineExceeded, d.cause)
		}
		return up
	})
}
