package worker_test

import (
	"context"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

// A task that is handed back by a worker that stays waits, and is not begun over and over.
func TestHandingBackWithoutLeavingPauses(t *testing.T) {
	b := workertest.New(t)
	attempts := make(chan int, 100)
	b.Start(func(_ context.Context, k *worker.Task) error {
		attempts <- k.Attempt
		return worker.ErrHandBack
	}, worker.WithRetries(0))
	b.Push("task")
	b.AwaitDelayed(1)
	if n := <-attempts; n != 1 || len(attempts) > 0 {
		t.Errorf("attempt %d, and %d more at once; want the first alone", n, len(attempts))
	}
}
