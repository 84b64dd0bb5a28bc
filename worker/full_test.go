package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
)

// When the memory of Redis is full, an idle worker finds what comes to be due, and tasks come to their ends.
func TestAFullRedisIsWorkedOff(t *testing.T) {
	b := newBench(t)
	client := worker.NewClient(b.redis)
	if _, err := client.Enqueue(t.Context(), queue, []byte("task"), worker.WithDelay(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	b.do("CONFIG", "SET", "maxmemory", "1")
	attempts := make(chan int, 10)
	r := b.start(func(_ context.Context, k *worker.Task) error {
		attempts <- k.Attempt
		return errors.New("no")
	}, worker.WithRetries(1), worker.WithBackoff(func(int) time.Duration { return 0 }))
	for want := range 2 {
		if got := receive(b, attempts, "attempt"); got != want+1 {
			t.Errorf("attempt %d, want %d", got, want+1)
		}
	}
	b.awaitDead(1)
	r.cancel()
	r.left()
}
