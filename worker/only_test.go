package worker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker"
)

// Two workers under one name would do each other's tasks again.
func TestOneWorkerPerQueueAndPod(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	begun := make(chan struct{}, 10)
	fine := func(context.Context, *worker.Task) error { begun <- struct{}{}; return nil }
	first := b.start(fine)
	receive(b, begun, "task")
	err := worker.Run(t.Context(), fine)
	if err == nil || !strings.Contains(err.Error(), queue) || !strings.Contains(err.Error(), pod) || !strings.Contains(err.Error(), "WithConcurrency") {
		t.Errorf("the second is answered with: %v", err)
	}
	t.Setenv("POD_NAME", "mail-1")
	others := make(chan struct{}, 10)
	other := b.start(func(context.Context, *worker.Task) error { others <- struct{}{}; return nil })
	first.cancel()
	first.left()
	b.do("LPUSH", queue, "task")
	receive(b, others, "task")
	t.Setenv("POD_NAME", pod)
	again := b.start(fine) // the name is free
	other.cancel()
	other.left()
	b.do("LPUSH", queue, "task")
	receive(b, begun, "task")
	again.cancel()
	again.left()
}
