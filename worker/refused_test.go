package worker_test

import (
	"context"
	"errors"
	"fmt"
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
			return text
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

// Of acknowledgements that go out together, one that is refused keeps none of the others.
func TestARefusedAcknowledgementKeepsNoOther(t *testing.T) {
	b := newBench(t)
	client := worker.NewClient(b.redis)
	const tasks = 5
	for i := range tasks {
		key := fmt.Sprint("key-", i)
		if _, err := client.Enqueue(t.Context(), queue, []byte(key), worker.WithUnique(key, time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	begun, finish, log := make(chan struct{}, tasks), make(chan struct{}), &lines{}
	r := b.start(func(context.Context, *worker.Task) error {
		begun <- struct{}{}
		<-finish
		return nil
	}, worker.WithConcurrency(tasks), logTo(log))
	for range tasks {
		receive(b, begun, "task")
	}
	odd := redislist.Unique(queue, "key-2")
	b.do("DEL", odd)
	b.do("LPUSH", odd, "no string")
	close(finish)
	b.awaitEmpty()
	r.cancel()
	r.left()
	if n := b.number("EXISTS", redislist.Unique(queue, "key-0"), redislist.Unique(queue, "key-4")); n != 0 {
		t.Errorf("%d keys of tasks that are done stand", n)
	}
	if strings.Contains(log.String(), "counts for nothing") {
		t.Errorf("the log has:\n%s", log)
	}
}
