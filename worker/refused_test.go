package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/redislist"
)

// What Redis refuses, as a dead letter where the key holds something else, holds up no acknowledgement, and comes
// through once Redis lets it.
func TestWhatRedisRefusesHoldsUpNothingElse(t *testing.T) {
	b := newBench(t)
	b.do("SET", redislist.Dead(queue), "no list")
	log := &lines{}
	r := b.start(func(_ context.Context, k *worker.Task) error {
		if strings.HasPrefix(string(k.Payload), "bad") {
			return worker.Permanent(errors.New("no"))
		}
		return nil
	}, logTo(log), worker.WithConcurrency(4))
	const each = 3
	for i := range each {
		b.do("LPUSH", queue, fmt.Sprint("bad-", i), fmt.Sprint("good-", i))
	}
	b.eventually("the others to be acknowledged", func() string {
		if n := b.waiting() + b.inHand(); n != each {
			return fmt.Sprintf("%d wait or are in hand, want %d", n, each)
		}
		return ""
	})
	b.eventually("the log to say so", func() string {
		if text := log.String(); !strings.Contains(text, "Redis refuses") || !strings.Contains(text, "WRONGTYPE") {
			return "it has: " + text
		}
		return ""
	})
	b.do("DEL", redislist.Dead(queue))
	b.awaitDead(each)
	b.awaitEmpty()
	r.cancel()
	r.left()
	if text := log.String(); strings.Contains(text, "does not answer") || strings.Contains(text, "counts for nothing") {
		t.Errorf("the log has:\n%s", text)
	}
}

// Of acknowledgements that go out together, one that is refused keeps none of the others, however long it is.
func TestARefusedAcknowledgementKeepsNoOther(t *testing.T) {
	b := newBench(t)
	const plain = 4
	if _, err := worker.NewClient(b.redis).Enqueue(t.Context(), queue, []byte("unique"), worker.WithUnique("key", time.Hour)); err != nil {
		t.Fatal(err)
	}
	for i := range plain {
		b.do("LPUSH", queue, fmt.Sprint("plain-", i))
	}
	begun, finish, log := make(chan struct{}, plain+1), make(chan struct{}), &lines{}
	r := b.start(func(context.Context, *worker.Task) error {
		begun <- struct{}{}
		<-finish
		return nil
	}, worker.WithConcurrency(plain+1), logTo(log))
	for range plain + 1 {
		receive(b, begun, "task")
	}
	// The user has no right to the key of the one that is unique.
	b.do("ACL", "SETUSER", "default", "resetkeys", "~"+queue, "~"+redislist.Processing(queue, "*"), "~"+redislist.Delayed(queue))
	close(finish)
	b.eventually("the others to be acknowledged", func() string {
		if n := b.inHand(); n != 1 {
			return fmt.Sprintf("%d are in hand, want 1", n)
		}
		return ""
	})
	b.do("ACL", "SETUSER", "default", "allkeys")
	b.awaitEmpty()
	r.cancel()
	r.left()
	if n := b.number("EXISTS", redislist.Unique(queue, "key")); n != 0 {
		t.Error("the key of a task that is done stands")
	}
	if text := log.String(); !strings.Contains(text, "NOPERM") || strings.Contains(text, "counts for nothing") {
		t.Errorf("the log has:\n%s", text)
	}
}

// refuse has a task end as a dead letter that Redis refuses.
func (b *bench) refuse(log *lines) {
	b.Helper()
	b.do("SET", redislist.Dead(queue), "no list")
	b.do("LPUSH", queue, "bad")
	b.eventually("the log to say so", func() string {
		if text := log.String(); !strings.Contains(text, "WRONGTYPE") {
			return "it has: " + text
		}
		return ""
	})
}

// badOrGood fails for good where the payload says so, and tells of each other task.
func badOrGood(good chan<- string) worker.Handler {
	return func(_ context.Context, k *worker.Task) error {
		if payload := string(k.Payload); payload != "bad" {
			good <- payload
			return nil
		}
		return worker.Permanent(errors.New("no"))
	}
}

// A task that is to be done with nothing else in hand does not wait for what Redis refuses to record the end of, nor do
// others wait for it where its own end is refused.
func TestASuspectAndWhatRedisRefuses(t *testing.T) {
	b := newBench(t)
	log, good := &lines{}, make(chan string, 10)
	r := b.start(badOrGood(good), logTo(log), worker.WithConcurrency(4))
	b.refuse(log)
	b.do("LPUSH", queue, redislist.Task{ID: "s", Crashed: 2, Payload: "suspect"}.Element())
	if got := receive(b, good, "suspect"); got != "suspect" {
		t.Errorf("%s was done", got)
	}
	b.do("LPUSH", queue, redislist.Task{ID: "b", Crashed: 2, Payload: "bad"}.Element(), "other")
	if got := receive(b, good, "task behind it"); got != "other" {
		t.Errorf("%s was done", got)
	}
	b.do("DEL", redislist.Dead(queue))
	b.awaitDead(2)
	b.awaitEmpty()
	r.cancel()
	r.left()
}

// A worker that is to leave does not stay for ever for what Redis refuses: it hands back what it may, and leaves the rest
// in its list.
func TestLeavingThoughRedisRefuses(t *testing.T) {
	denied := func(b *bench, what ...string) {
		b.do(append([]string{"ACL", "SETUSER", "default"}, what...)...)
		b.Cleanup(func() { b.do("ACL", "SETUSER", "default", "+@all") })
	}
	for name, c := range map[string]struct {
		prepare          func(b *bench, log *lines)
		granted          func(b *bench, good <-chan string)
		waiting, orphans int64
	}{
		"to bury a task": {func(b *bench, log *lines) { b.refuse(log) }, nil, 1, 0},
		"to bury thousands": {func(b *bench, log *lines) {
			b.refuse(log)
			b.do(append([]string{"LPUSH", queue}, slices.Repeat([]string{"bad"}, 2999)...)...)
			b.eventually("they are taken", func() string {
				if b.waiting() > 0 && b.inHand() < 1100 {
					return "they wait"
				}
				return ""
			})
		}, nil, 3000, 0},
		"everything": {func(b *bench, log *lines) {
			b.refuse(log)
			denied(b, "-evalsha", "-eval")
		}, nil, 0, 1},
		"to take an orphan back": {func(b *bench, _ *lines) {
			b.do("LPUSH", queue, "good")
			b.eventually("it is taken", func() string {
				if b.inHand() == 0 {
					return "it waits"
				}
				return ""
			})
		}, func(b *bench, good <-chan string) {
			receive(b, good, "sight of it")
			denied(b, "-rpush")
			b.do("LPUSH", redislist.Processing(queue, pod), "orphan")
		}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			log, good, finish := &lines{}, make(chan string), make(chan struct{})
			r := b.start(func(ctx context.Context, k *worker.Task) error {
				if string(k.Payload) != "bad" {
					<-worker.Draining(ctx)
					defer func() { <-finish }()
				}
				return badOrGood(good)(ctx, k)
			}, logTo(log), worker.WithConcurrency(100), worker.WithLockoutLimit(time.Second))
			c.prepare(b, log)
			b.grant("ScaleDown")
			if c.granted != nil {
				c.granted(b, good)
			}
			close(finish)
			r.left()
			if waiting, held := b.waiting(), b.inHand(); waiting != c.waiting || held != c.orphans {
				t.Errorf("%d wait and its list has %d, want %d and %d; the log has\n%.2000s", waiting, held, c.waiting, c.orphans, log)
			}
		})
	}
}

// What has held a departure up once does not count when there is another.
func TestAnotherDepartureThoughRedisRefuses(t *testing.T) {
	b := newBench(t)
	log, good := &lines{}, make(chan string, 1)
	const limit = 3 * time.Second
	r := b.start(badOrGood(good), logTo(log), worker.WithLockoutLimit(limit))
	b.refuse(log)
	b.grant("ScaleDown")
	<-time.After(limit / 6) // it has seen it
	b.grant("")             // it is to stay after all
	b.do("LPUSH", queue, "good")
	receive(b, good, "task")
	<-time.After(limit)
	again := time.Now()
	b.grant("ScaleDown")
	r.left()
	if d := time.Since(again); d < limit {
		t.Errorf("it left after %s", d)
	}
}
