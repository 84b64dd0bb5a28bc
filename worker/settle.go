package worker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

// settlement is what is to come of a task, on its way to the broker.
type settlement struct {
	task    *held
	seen    *Task // as the handler saw it
	outcome Outcome
	wait    time.Duration // of Retried
	letter  store.Letter  // of Dead
	asked   int           // how often it was brought to the broker
}

const (
	// settleBatch bounds how many acknowledgements go out together.
	settleBatch = 1024
	// operationTimeout bounds one operation of the broker.
	operationTimeout = 5 * time.Second
	// retryPause is the pause after a failed operation. It is longer than takeWait: a BLMOVE whose connection
	// broke may stay blocked in Redis for so long, and move a task into our list.
	retryPause = 1500 * time.Millisecond
)

// settle brings settlements to the broker, many at a time, until the channel is closed or the worker
// is killed. It does not give up: a task that is done and not acknowledged is done again. What Redis refuses, for the
// user's rights or for the type of a key, may be refused for good: it is tried again and again, and holds up no other,
// but for their number.
func (r *run) settle() {
	var refused []settlement
	var again <-chan time.Time
	for {
		next := r.settlements
		if _, leaving := r.leave.why(); len(refused) >= settleBatch && !leaving {
			next = nil
		}
		select {
		case <-r.tasks.Done():
			return
		case first, open := <-next:
			if !open {
				return
			}
			refused = append(refused, r.bring(r.batch(first))...)
		case <-again:
			refused, again = r.bring(refused), nil
		}
		if len(refused) > 0 && again == nil {
			again = time.After(retryPause)
		}
	}
}

// batch is a settlement and those that wait behind it.
func (r *run) batch(first settlement) []settlement {
	batch := []settlement{first}
	for len(batch) < settleBatch {
		select {
		case s, open := <-r.settlements:
			if !open {
				return batch
			}
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}

// bring brings a batch, acknowledgements first, and has those that Redis refuses.
func (r *run) bring(batch []settlement) (refused []settlement) {
	var done, others []settlement
	for _, s := range batch {
		if s.outcome == Done {
			done = append(done, s)
		} else {
			others = append(others, s)
		}
	}
	// Redis looks for each from the oldest in the list on: of a thousand in hand, the oldest first are found at once.
	slices.SortFunc(done, func(a, b settlement) int { return cmp.Compare(a.task.number, b.task.number) })
	var why error
	note := func(s settlement, err error) {
		if err != nil {
			refused, why = append(refused, s), err
		}
	}
	for len(done) > 0 {
		n := portion(done)
		err := r.bringDone(done[:n])
		for i := range done[:n] {
			if n > 1 && err != nil { // the others are not to suffer for one
				note(done[i], r.bringDone(done[i:i+1]))
			} else {
				note(done[i], err)
			}
		}
		done = done[n:]
	}
	for i := range others {
		err := r.bringOther(&others[i])
		note(others[i], err)
	}
	if why != nil {
		r.hands.refuse(lasts(why), refused)
		r.options.log.Warn("Redis refuses to record what came of tasks; trying again",
			"queue", r.queue, "tasks", len(refused), "outcome", refused[len(refused)-1].outcome, "error", why)
	}
	return refused
}

// portion is how many of the first settlements go out together; at least one. An acknowledgement carries the whole
// task, unless that is long, and what has not come through within a time-out would be sent anew from the beginning, for
// ever.
func portion(done []settlement) (n int) {
	bytes := 0
	for _, s := range done {
		if bytes += len(s.task.Name()); n > 0 && bytes > store.StepBytes {
			break
		}
		n++
	}
	return n
}

// bringDone acknowledges tasks in one step. An error is Redis' refusal.
func (r *run) bringDone(done []settlement) error {
	items, tasks := make([]store.Item, len(done)), make([]*held, len(done))
	for i, s := range done {
		items[i], tasks[i] = r.hands.item(s.task), s.task
	}
	err := r.untilAnswered(func(ctx context.Context) error {
		for i := range done {
			done[i].asked++
		}
		was, err := r.store.Done(ctx, items...)
		if err != nil {
			return err
		}
		for i, ours := range was {
			if !ours {
				r.vain(done[i])
			}
		}
		return nil
	})
	if err == nil {
		r.hands.drop(tasks...)
	}
	return err
}

// bringOther brings what is no acknowledgement. An error is Redis' refusal.
func (r *run) bringOther(s *settlement) error {
	err := r.untilAnswered(func(ctx context.Context) error {
		s.asked++
		was, err := r.bringOne(ctx, *s)
		if err == nil && !was {
			r.vain(*s)
		}
		return err
	})
	if err == nil {
		r.hands.drop(s.task)
	}
	return err
}

func (r *run) bringOne(ctx context.Context, s settlement) (was bool, err error) {
	item := r.hands.item(s.task)
	if s.letter.Field != "" {
		item = r.hands.placed(s.task)
	}
	switch s.outcome {
	case Retried:
		return r.store.Retry(ctx, item, s.wait)
	case Dead:
		return r.store.Bury(ctx, item, s.letter)
	case HandedBack:
		if s.wait > 0 {
			return r.store.PutOff(ctx, item, s.wait)
		}
		each, err := r.store.Return(ctx, item)
		return err == nil && each[0], err
	case Done, Lost: // acknowledged with others, and never
	}
	return true, nil
}

// vain says that nothing has come of an outcome, because the list did not hold the task any more. Asked again,
// nobody knows: it may have been there the first time, and the answer was lost.
func (r *run) vain(s settlement) {
	if s.asked > 1 {
		return
	}
	r.options.log.Warn("a task's end counts for nothing: its reservation is gone, with a pod that was taken for dead or with the broker's data",
		"queue", r.queue, "id", s.seen.ID, "outcome", s.outcome)
	if o, ok := r.options.observer.(LossObserver); ok {
		r.observe(func(Observer) { o.EndedInVain(s.seen, s.outcome) })
	}
}

// untilAnswered repeats an operation until the broker has answered it, or the worker is killed. An error is an answer,
// too: that Redis refuses it.
func (r *run) untilAnswered(operation func(context.Context) error) error {
	for {
		ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
		err := operation(ctx)
		cancel()
		if err == nil || r.tasks.Err() != nil {
			return nil
		}
		if _, refused := refusal(err); refused {
			return err
		}
		r.complain(err)
		r.pause(retryPause)
	}
}

// complain logs an error of the broker, unless it is our own doing.
func (r *run) complain(err error) {
	if errors.Is(err, context.Canceled) && r.tasks.Err() != nil {
		return
	}
	what := "the broker does not answer; trying again"
	if _, refused := refusal(err); refused {
		what = "Redis refuses what the worker asks of it; trying again"
	}
	r.options.log.Warn(what, "queue", r.queue, "error", err)
}

// pause waits, unless the worker is killed.
func (r *run) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.tasks.Done():
	}
}
