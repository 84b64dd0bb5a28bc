package worker_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/store"
)

// rotate gives the worker's user another password, and ends its connections.
func (b *bench) rotate(password string) {
	b.Helper()
	b.do("ACL", "SETUSER", "worker", "on", "resetpass", ">"+password, "~*", "+@all")
	b.do("CLIENT", "KILL", "USER", "worker")
}

// as has the worker be the user that Redis knows.
func (b *bench) as(user, password string) {
	b.Setenv(contract.EnvBrokerUsername, user)
	b.Setenv(contract.EnvBrokerPassword, password)
}

// lockedOut waits for the worker's end, which must say what Redis has refused.
func (r *running) lockedOut(word string) {
	r.Helper()
	if err := receive(r.bench, r.ended, "end of the worker"); err == nil || !strings.Contains(err.Error(), word) {
		r.Errorf("the worker ended with %v, want %s", err, word)
	}
}

func TestAPasswordThatIsWrongFromTheStart(t *testing.T) {
	for word, password := range map[string]string{"WRONGPASS": "old", "NOAUTH": ""} {
		t.Run(word, func(t *testing.T) {
			b := newBench(t)
			b.as("", password)
			b.do("CONFIG", "SET", "requirepass", "new")
			r := b.start(func(context.Context, *worker.Task) error { return nil }, worker.WithLockoutLimit(100*time.Millisecond))
			r.lockedOut(word)
		})
	}
}

// The password of a process changes only when its container is restarted, for which the process has to end; but not
// with a handler that is at work.
func TestAPasswordThatIsChanged(t *testing.T) {
	b := newBench(t)
	b.rotate("old")
	b.as("worker", "old")
	b.do("LPUSH", queue, "at work", "not begun")
	const limit = 100 * time.Millisecond
	begun, finish := make(chan string, 10), make(chan struct{})
	log := &lines{}
	r := b.start(func(_ context.Context, k *worker.Task) error {
		begun <- string(k.Payload)
		<-finish
		return nil
	}, worker.WithLockoutLimit(limit), logTo(log))
	receive(b, begun, "task")
	b.rotate("new")
	b.eventually("the worker to be refused twice", func() string {
		if strings.Count(log.String(), "WRONGPASS") < 2 {
			return "it was not"
		}
		return ""
	})
	select {
	case err := <-r.ended:
		t.Fatalf("it has ended with %v, and the handler has not", err)
	case <-time.After(limit):
	}
	close(finish)
	r.lockedOut("WRONGPASS")
	if len(begun) > 0 || b.inHand() != 1 || b.waiting() != 1 {
		t.Errorf("%d more were begun, %d are in hand and %d wait; want none, 1 and 1", len(begun), b.inHand(), b.waiting())
	}
}

// rejecting is a store that is refused at its first look at the list, and at the first at the list's length, which comes
// seconds later.
type rejecting struct {
	store.Store
	err          error
	once, length sync.Once
	twice        chan struct{}
}

func (r *rejecting) Held(ctx context.Context, before store.Page) (page store.Page, err error) {
	r.once.Do(func() { err = r.err })
	if err != nil {
		return page, err
	}
	return r.Store.Held(ctx, before)
}

func (r *rejecting) Length(ctx context.Context) (n int, err error) {
	r.length.Do(func() {
		err = r.err
		close(r.twice)
	})
	if err != nil {
		return 0, err
	}
	return r.Store.Length(ctx)
}

// A password that is refused twice, and was right in between, is none that was refused all the time.
func TestAPasswordThatIsRightInBetween(t *testing.T) {
	b := newBench(t)
	refused := b.redis.Do(t.Context(), b.redis.B().Arbitrary("AUTH", "nobody", "wrong").Build()).Error()
	if refused == nil || !strings.HasPrefix(refused.Error(), "WRONGPASS") {
		t.Fatalf("Redis says %v", refused)
	}
	s := &rejecting{err: refused, twice: make(chan struct{})}
	done := make(chan struct{}, 1)
	r := b.startOn(func(on store.Store) store.Store { s.Store = on; return s },
		func(context.Context, *worker.Task) error { done <- struct{}{}; return nil }, worker.WithLockoutLimit(3*time.Second))
	receive(b, s.twice, "second refusal")
	b.do("LPUSH", queue, "task")
	receive(b, done, "task")
	b.awaitEmpty()
	r.cancel()
	r.left()
}
