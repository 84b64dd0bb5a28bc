package worker_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/redislist"
)

// A worker that always has more short tasks than it can do finds what comes to be due, and what its own list holds and
// nobody has in hand: it reserves ahead, and has something ready at any time.
func TestAnEndlessBacklogHoldsUpNothingElse(t *testing.T) {
	b := newBench(t)
	const backlog = 200_000
	refill := func() (before int64) {
		return b.number("EVAL", `local before = redis.call('LLEN', KEYS[1])
for _ = before + 1, ARGV[1] do redis.call('LPUSH', KEYS[1], 'short') end
return before`, "1", queue, strconv.Itoa(backlog))
	}
	refill()
	others := make(chan string, 2)
	r := b.start(func(_ context.Context, k *worker.Task) error {
		if payload := string(k.Payload); payload != "short" {
			others <- payload
		}
		return nil
	}, worker.WithConcurrency(10))
	for begun := time.Now(); time.Since(begun) < time.Second; { // it looks for both, and finds nothing
		refill()
	}
	b.do("ZADD", redislist.Delayed(queue), "0", "due|due")
	b.do("LPUSH", redislist.Processing(queue, pod), "orphan")
	due, orphan := false, false
	for deadline := time.After(longestWait / 2); !due || !orphan; {
		select {
		case payload := <-others:
			orphan = orphan || payload == "orphan"
		case <-deadline:
			t.Fatalf("due tasks were moved: %t; the orphan was done: %t", due, orphan)
		default:
			if left := refill(); left < backlog/10 {
				t.Fatalf("only %d were left: the backlog has come to an end", left)
			}
			due = due || b.delayed() == 0 // it waits behind the others
		}
	}
	b.do("DEL", queue)
	r.cancel()
	r.left()
}
