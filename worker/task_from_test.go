package worker_test

import (
	"context"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

// A handler of payloads knows its task, in a worker and called by a test.
func TestAHandlerOfPayloadsKnowsItsTask(t *testing.T) {
	tasks := make(chan *worker.Task, 2)
	handler := worker.JSON(func(ctx context.Context, _ struct{}) error {
		tasks <- worker.TaskFrom(ctx)
		return nil
	})
	if err := handler(t.Context(), &worker.Task{ID: "by hand", Payload: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	b := workertest.New(t)
	if _, err := b.Enqueue(`{}`, worker.WithID("t-1"), worker.WithHeader("tenant", "acme")); err != nil {
		t.Fatal(err)
	}
	b.Start(handler)
	b.AwaitDone(1)
	if task := <-tasks; task == nil || task.ID != "by hand" {
		t.Errorf("called by hand, the task is %+v", task)
	}
	if task := <-tasks; task == nil || task.ID != "t-1" || task.Headers["tenant"] != "acme" || task.Attempt != 1 {
		t.Errorf("called by a worker, the task is %+v", task)
	}
	if task := worker.TaskFrom(t.Context()); task != nil {
		t.Errorf("outside of a task there is %+v", task)
	}
}

// What a handler calls, and middleware, have the same task.
func TestMiddlewareKnowsTheTask(t *testing.T) {
	b := workertest.New(t)
	same := make(chan bool, 1)
	b.Push("task")
	b.Start(func(ctx context.Context, k *worker.Task) error {
		same <- worker.TaskFrom(ctx) == k
		return nil
	})
	b.AwaitDone(1)
	if !<-same {
		t.Error("the context has another task")
	}
}
