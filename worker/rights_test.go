package worker_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// rights are those that the documentation gives to a worker of the SDK.
func rights(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/redis-layout.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "A worker of the SDK needs these rights:\n\n```sh\nredis-cli ")
	text, _, ends := strings.Cut(text, "```")
	if !found || !ends {
		t.Fatal("the page says nothing of the rights")
	}
	return strings.Fields(strings.NewReplacer("\\\n", " ", "'", "").Replace(text))
}

// The rights that the documentation names are enough, for all that a worker and a client do.
func TestTheRightsThatAWorkerNeeds(t *testing.T) {
	b := newBench(t)
	b.do(rights(t)...)
	t.Setenv(contract.EnvBrokerUsername, "worker")
	t.Setenv(contract.EnvBrokerPassword, "password")
	b.do("LPUSH", redislist.Processing(queue, pod), redislist.Task{ID: "left", Reservation: "gone.1", Payload: "left"}.Element())
	client, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for payload, opt := range map[string]worker.EnqueueOption{
		"fails once": worker.WithUnique("key", time.Hour), "dies": worker.WithDelay(time.Millisecond), "good": worker.WithID("good"),
	} {
		if _, err := client.Enqueue(t.Context(), queue, []byte(payload), opt); err != nil {
			t.Fatal(err)
		}
	}
	b.do("LPUSH", queue, "is handed back")
	b.do("LPUSH", queue, strings.Repeat("long ", store.StepBytes))
	done := make(chan string, 10)
	leaving := make(chan struct{})
	r := b.start(func(ctx context.Context, k *worker.Task) error {
		switch payload := string(k.Payload); {
		case payload == "fails once" && k.Attempt == 1:
			return worker.RetryAfter(errors.New("once"), 0)
		case payload == "dies" || strings.HasPrefix(payload, "long"):
			return worker.Permanent(errors.New("never"))
		case payload == "is handed back":
			<-worker.Draining(ctx)
			close(leaving)
			return worker.ErrHandBack
		default:
			done <- payload
			return nil
		}
	}, worker.WithConcurrency(10))
	for range 3 {
		receive(b, done, "task")
	}
	b.awaitDead(2)
	letters, err := client.DeadLetters(t.Context(), queue, 0, 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("there are %d letters, %v", len(letters), err)
	}
	for _, letter := range letters {
		if ok, err := client.Drop(t.Context(), queue, letter); !ok || err != nil {
			t.Errorf("dropping one says %t, %v", ok, err)
		}
	}
	r.cancel()
	receive(b, leaving, "hand-back")
	r.left()
	if b.waiting() != 1 || b.inHand() != 0 {
		t.Errorf("%d wait and %d are in hand, want 1 and 0", b.waiting(), b.inHand())
	}
}
