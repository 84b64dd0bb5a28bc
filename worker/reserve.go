package worker

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

const (
	// takeWait is how long one wait on an empty queue lasts.
	takeWait = time.Second
	// promoteEvery is how often the worker looks for due tasks, while it knows of none that is due earlier.
	promoteEvery = time.Second
	// leastPause is the pause between two looks of a worker that can take nothing.
	leastPause = 10 * time.Millisecond
)

// reserved is what came of a reservation.
type reserved struct {
	items []store.Item
	at    time.Time
	err   error
}

// takeAhead reserves tasks while others are ready, so that short ones do not wait for the broker.
func (r *run) takeAhead(n int) {
	r.promoted = false
	coming := make(chan reserved, 1)
	r.coming = coming
	go func() {
		ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
		defer cancel()
		items, err := r.store.Reserve(ctx, n, true)
		coming <- reserved{items, time.Now(), err}
	}()
}

// receive takes what was asked for ahead.
func (r *run) receive() error {
	came := <-r.coming // it has a time-out of its own
	r.coming = nil
	if came.err != nil {
		return came.err
	}
	r.dry = len(came.items) == 0
	r.takeUp(came.at, came.items...)
	return nil
}

// takeMany reserves a task for each free hand, and some more while tasks are short.
func (r *run) takeMany() error {
	r.promoted = false
	free := r.free()
	n := free + r.pace.ahead(cap(r.slots))
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	items, err := r.store.Reserve(ctx, n, n > free)
	if err != nil {
		return err
	}
	r.dry = len(items) == 0
	r.takeUp(time.Now(), items...)
	return nil
}

// takeOne waits for a task.
func (r *run) takeOne() error {
	r.promoted = false
	wait := min(takeWait, max(time.Until(r.nextPromote), time.Millisecond), max(time.Until(r.nextSweep), time.Millisecond))
	ctx, cancel := context.WithTimeout(r.tasks, wait+operationTimeout)
	defer cancel()
	item, ok, err := r.store.Take(ctx, wait)
	if err != nil || !ok {
		return err
	}
	r.dry = false
	r.takeUp(time.Now(), item)
	return nil
}

func (r *run) takeUp(since time.Time, items ...store.Item) {
	for _, item := range items {
		r.ready = append(r.ready, r.hands.take(item, since))
	}
}

// promote puts due tasks into the queue. After an error the worker takes tasks all the same: the error may concern
// due tasks alone.
func (r *run) promote() {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	next, err := r.store.Promote(ctx)
	if err != nil {
		r.complain(err)
	}
	const part = 5 // a fifth more or less, so that a thousand workers do not ask at once
	pause := promoteEvery - promoteEvery/part + rand.N(2*promoteEvery/part)
	if err == nil && next >= 0 {
		pause = min(pause, next)
	}
	r.nextPromote = time.Now().Add(pause)
}
