package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// thinLine lets few bytes through within a time-out.
type thinLine struct{ store.Store }

func (s thinLine) Done(ctx context.Context, items ...store.Item) ([]bool, error) {
	bytes := 0
	for _, item := range items {
		bytes += len(item.Element)
	}
	if bytes > 2<<20 {
		return nil, errors.New("the time is up")
	}
	return s.Store.Done(ctx, items...)
}

// However much is done at once, its acknowledgements go out in portions that a slow line bears.
func TestLongTasksAreAcknowledgedOverAThinLine(t *testing.T) {
	b := newBench(t)
	const tasks = 8
	for range tasks {
		b.do("LPUSH", queue, strings.Repeat("x", 1<<20-1000))
	}
	begun, finish := make(chan struct{}, tasks), make(chan struct{})
	r := b.startOn(func(s store.Store) store.Store { return thinLine{s} }, func(context.Context, *worker.Task) error {
		begun <- struct{}{}
		<-finish
		return nil
	}, worker.WithConcurrency(tasks))
	for range tasks {
		receive(b, begun, "task")
	}
	close(finish)
	b.awaitEmpty()
	r.cancel()
	r.left()
}

// witness notes what an observer is told.
type witness chan string

func (witness) Started(*worker.Task) {}

func (w witness) Ended(_ *worker.Task, outcome worker.Outcome, _ time.Duration) { w <- string(outcome) }

func (w witness) EndedInVain(_ *worker.Task, outcome worker.Outcome) {
	w <- "in vain: " + string(outcome)
}

// However a handler ends, it is said when nothing came of it.
func TestAnEndThatCountsForNothingIsSaid(t *testing.T) {
	cases := map[string]struct {
		end  error
		want worker.Outcome
	}{
		"done":        {nil, worker.Done},
		"retried":     {errors.New("no"), worker.Retried},
		"dead":        {worker.Permanent(errors.New("no")), worker.Dead},
		"handed back": {worker.ErrHandBack, worker.HandedBack},
	}
	b := newBench(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b.do("LPUSH", queue, "task")
			told, log := make(witness, 10), &lines{}
			r := b.start(func(context.Context, *worker.Task) error {
				b.do("DEL", redislist.Processing(queue, pod)) // Redis has no longer got it, or the operator has reclaimed it
				return c.end
			}, worker.WithObserver(told), logTo(log))
			for _, want := range []string{string(c.want), "in vain: " + string(c.want)} {
				if got := receive(b, told, "outcome"); got != want {
					t.Errorf("the observer is told %q, want %q", got, want)
				}
			}
			r.cancel()
			r.left()
			if !strings.Contains(log.String(), "counts for nothing") || b.waiting()+b.inHand()+b.delayed()+b.dead() > 0 {
				t.Errorf("something came of it, or the log does not say so:\n%s", log)
			}
		})
	}
}

// That the task is not held any more, seen while the handler is at it, is the attempt's outcome, whatever the handler returns.
func TestALossIsAnOutcome(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	told := make(witness, 10)
	r := b.start(func(ctx context.Context, _ *worker.Task) error {
		b.do("DEL", redislist.Processing(queue, pod))
		<-ctx.Done()
		return worker.Permanent(ctx.Err())
	}, worker.WithObserver(told))
	if got := receive(b, told, "outcome"); got != "not_held" {
		t.Errorf("the observer is told %q", got)
	}
	r.cancel()
	r.left()
	if b.dead() > 0 || len(told) > 0 {
		t.Errorf("%d dead letters, and %d words more", b.dead(), len(told))
	}
}

// gate is a store whose first step for ends that are no acknowledgements waits for open. It counts those steps.
type gate struct {
	store.Store
	open  chan struct{}
	steps atomic.Int32
}

func (g *gate) pass() {
	g.steps.Add(1)
	<-g.open
}

func (g *gate) Retry(ctx context.Context, waits ...store.Waiting) ([]bool, error) {
	g.pass()
	return g.Store.Retry(ctx, waits...)
}

func (g *gate) PutOff(ctx context.Context, waits ...store.Waiting) ([]bool, error) {
	g.pass()
	return g.Store.PutOff(ctx, waits...)
}

func (g *gate) Bury(ctx context.Context, burials ...store.Burial) ([]bool, error) {
	g.pass()
	return g.Store.Bury(ctx, burials...)
}

// Tasks that fail cost a step for many of them, and no step each: over a slow line a worker would do no more than one in
// each round trip, and acknowledgements would wait behind them.
func TestEndsGoOutTogether(t *testing.T) {
	const tasks, mostSteps = 600, 1 + 3 // the first alone, and then 256 at a time
	for name, end := range map[string]error{
		"retries":       errors.New("503"),
		"dead letters":  worker.Permanent(errors.New("no")),
		"tasks put off": worker.ErrHandBack,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			payloads := make([]string, tasks)
			for i := range payloads {
				payloads[i] = fmt.Sprint("task ", i)
			}
			b.do(append([]string{"LPUSH", queue}, payloads...)...)
			g, ended := &gate{open: make(chan struct{})}, make(witness, tasks)
			r := b.startOn(func(s store.Store) store.Store { g.Store = s; return g }, func(context.Context, *worker.Task) error { return end },
				worker.WithConcurrency(tasks), worker.WithObserver(ended), worker.WithBackoff(func(int) time.Duration { return time.Hour }))
			for range tasks {
				receive(b, ended, "end")
			}
			close(g.open)
			b.awaitEmpty()
			if n := g.steps.Load(); n > mostSteps {
				t.Errorf("%d tasks took %d steps, want %d at most", tasks, n, mostSteps)
			}
			if n := b.delayed() + b.dead(); n != tasks {
				t.Errorf("%d are delayed or dead, want %d", n, tasks)
			}
			r.cancel()
			r.left()
		})
	}
}
