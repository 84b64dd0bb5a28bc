package worker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
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
	// settleBatch bounds how many acknowledgements go out together, and settlePart how many of the other ends, which take
	// Redis longer.
	settleBatch = 1024
	settlePart  = 256
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
		if _, leaving := r.leave.Told(); len(refused) >= settleBatch && !leaving {
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

// end is how a task ends in Redis: those that end alike go out together.
type end int

// The ends, in the order in which they go out: a task that is done and not acknowledged is done again.
const (
	acknowledged end = iota
	returned
	putOff
	retried
	buried
)

func (s settlement) end() end {
	switch {
	case s.outcome == Done:
		return acknowledged
	case s.outcome == HandedBack && s.wait == 0:
		return returned
	case s.outcome == HandedBack:
		return putOff
	case s.outcome == Retried:
		return retried
	}
	return buried
}

// bring brings a batch, acknowledgements first, and has those that Redis refuses.
func (r *run) bring(batch []settlement) (refused []settlement) {
	// Redis looks for each from the oldest in the list on: of a thousand in hand, the oldest first are found at once.
	slices.SortFunc(batch, func(a, b settlement) int {
		return cmp.Or(cmp.Compare(a.end(), b.end()), cmp.Compare(a.task.number, b.task.number))
	})
	var why error
	note := func(s settlement, err error) {
		if err != nil {
			refused, why = append(refused, s), err
		}
	}
	for len(batch) > 0 {
		n := portion(batch)
		err := r.bringTogether(batch[:n])
		for i := range batch[:n] {
			if n > 1 && err != nil { // the others are not to suffer for one
				note(batch[i], r.bringTogether(batch[i:i+1]))
			} else {
				note(batch[i], err)
			}
		}
		batch = batch[n:]
	}
	if why != nil {
		r.hands.refuse(lasts(why), refused)
		r.options.log.Warn("Redis refuses to record what came of tasks; trying again",
			"queue", r.queue, "tasks", len(refused), "outcome", refused[len(refused)-1].outcome, "error", why)
	}
	return refused
}

// portion is how many of the first settlements go out together, all with one end; at least one. They carry whole
// tasks, unless those are long, and dead letters, and what has not come through within a time-out would be sent anew from
// the beginning, for ever.
func portion(batch []settlement) (n int) {
	bytes, most := 0, settleBatch
	if batch[0].end() != acknowledged {
		most = settlePart
	}
	for _, s := range batch[:min(len(batch), most)] {
		bytes += len(s.task.Name()) + len(s.letter.Line)
		if n > 0 && (bytes > store.StepBytes || s.end() != batch[0].end()) {
			break
		}
		n++
	}
	return n
}

// bringTogether brings settlements with one end in one step. An error is Redis' refusal.
func (r *run) bringTogether(together []settlement) error {
	err := r.untilAnswered(func(ctx context.Context) error {
		for i := range together {
			together[i].asked++
		}
		was, err := r.ask(ctx, together)
		if err != nil {
			return err
		}
		for i, ours := range was {
			if !ours {
				r.vain(together[i])
			}
		}
		return nil
	})
	if err == nil {
		tasks := make([]*held, len(together))
		for i, s := range together {
			tasks[i] = s.task
		}
		r.hands.drop(tasks...)
	}
	return err
}

// ask has the broker take one step for settlements with one end, and tells of each whether the task was still ours.
func (r *run) ask(ctx context.Context, together []settlement) (was []bool, err error) {
	items := make([]store.Item, len(together))
	waits, burials := make([]store.Waiting, len(together)), make([]store.Burial, len(together))
	for i, s := range together {
		if items[i] = r.hands.item(s.task); s.letter.Field != "" {
			items[i] = r.hands.placed(s.task)
		}
		waits[i], burials[i] = store.Waiting{Item: items[i], For: s.wait}, store.Burial{Item: items[i], Letter: s.letter}
	}
	switch together[0].end() {
	case acknowledged:
		return r.store.Done(ctx, items...)
	case returned:
		return r.store.Return(ctx, items...)
	case putOff:
		return r.store.PutOff(ctx, waits...)
	case retried:
		return r.store.Retry(ctx, waits...)
	}
	return r.store.Bury(ctx, burials...)
}

// vain says that nothing has come of an outcome, because the list did not hold the task any more. Asked again,
// nobody knows: it may have been there the first time, and the answer did not arrive.
func (r *run) vain(s settlement) {
	if s.asked > 1 {
		return
	}
	r.options.log.Warn("a task's end counts for nothing: its reservation is gone, with a pod that was taken for dead or with the broker's data",
		"queue", r.queue, "id", s.seen.ID, "outcome", s.outcome)
	if o, ok := r.options.observer.(LateObserver); ok {
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
	if isUnknownCommand(err) {
		what = "Redis lacks a command that the worker needs: that takes Redis " + oldestRedis + " or newer, no command renamed, and not the " +
			"address of a Sentinel, for which " + contract.EnvRedisSentinelMaster + " has to be set; trying again"
	}
	if movedTo(err) != "" {
		what = "the queue is on another node of the Redis Cluster, which the worker follows where " + contract.EnvRedisCluster + " is true; trying again"
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
