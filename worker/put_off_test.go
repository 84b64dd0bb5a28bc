package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/store"
)

// putter is a store whose first answer to putting a task off does not arrive, with what was asked or without.
type putter struct {
	store.Store
	asked atomic.Int32
	first func(ctx context.Context, waits ...store.Waiting) ([]bool, error)
}

func (p *putter) PutOff(ctx context.Context, waits ...store.Waiting) ([]bool, error) {
	if p.asked.Add(1) == 1 {
		return p.first(ctx, waits...)
	}
	return p.Store.PutOff(ctx, waits...)
}

// startPutter runs a worker that puts a suspect off, since it has another one in hand until finish is closed.
func (b *bench) startPutter(p *putter, log *lines) (r *running, suspects <-chan int, finish chan struct{}) {
	b.Helper()
	slow, attempts, finish := make(chan struct{}, 1), make(chan int, 10), make(chan struct{})
	r = b.startOn(func(s store.Store) store.Store { p.Store = s; return p }, func(_ context.Context, k *worker.Task) error {
		if string(k.Payload) == "slow" {
			slow <- struct{}{}
			<-finish
			return nil
		}
		attempts <- k.Attempt
		return nil
	}, worker.WithConcurrency(2), logTo(log))
	b.do("LPUSH", queue, suspectElement("slow"))
	receive(b, slow, "slow task")
	b.do("LPUSH", queue, suspectElement("suspect"))
	return r, attempts, finish
}

// doneOnce expects the suspect to be done once, when there is no other in hand.
func (r *running) doneOnce(suspects <-chan int, finish chan struct{}, log *lines) {
	r.Helper()
	if n := len(suspects); n > 0 {
		r.Errorf("it was begun beside another suspect")
	}
	close(finish)
	const attempt = 3 // two have ended with their workers
	if n := receive(r.bench, suspects, "suspect"); n != attempt {
		r.Errorf("its attempt is number %d, want %d", n, attempt)
	}
	r.awaitEmpty()
	r.cancel()
	r.left()
	if again := len(suspects); again > 0 || r.delayed()+r.dead() > 0 || strings.Contains(log.String(), "reservation is") {
		r.Errorf("it was begun %d times more, and %d are delayed or dead; the log has\n%s", again, r.delayed()+r.dead(), log)
	}
}

// A task that was put off, by a command whose answer did not arrive, waits like any other.
func TestALostAnswerToPuttingOff(t *testing.T) {
	b := newBench(t)
	log, p := &lines{}, &putter{}
	p.first = func(ctx context.Context, waits ...store.Waiting) ([]bool, error) {
		if was, err := p.Store.PutOff(ctx, waits...); err != nil || !was[0] {
			t.Errorf("putting it off says %v, %v", was, err)
		}
		return nil, errNoAnswer
	}
	r, suspects, finish := b.startPutter(p, log)
	b.eventually("it is put off again", func() string {
		if p.asked.Load() < 2 {
			return "it is not"
		}
		return ""
	})
	r.doneOnce(suspects, finish, log)
}

// A command that puts a task off, and comes when everybody has given it up, finds nothing.
func TestPuttingOffThatComesLate(t *testing.T) {
	b := newBench(t)
	log, p := &lines{}, &putter{}
	late := make(chan store.Item, 1)
	p.first = func(_ context.Context, waits ...store.Waiting) ([]bool, error) {
		late <- waits[0].Item
		return nil, errNoAnswer
	}
	r, suspects, finish := b.startPutter(p, log)
	item := receive(b, late, "putting off")
	b.eventually("the task is found in the list, and put off again", func() string {
		if p.asked.Load() < 2 {
			return "it is not"
		}
		return ""
	})
	if was, err := b.store().PutOff(t.Context(), store.Waiting{Item: item, For: time.Hour}); err != nil || was[0] {
		t.Errorf("the late command says %v, %v", was, err)
	}
	r.doneOnce(suspects, finish, log)
}
