package worker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

// When tasks turn long, those that were reserved ahead while they were short are not kept from others.
func TestNothingIsHoardedWhenTasksTurnLong(t *testing.T) {
	b := workertest.New(t)
	const short, long, each, soon = 2000, 200, 15 * time.Millisecond, 500 * time.Millisecond
	begun := make(chan struct{}, long)
	b.Push(slices.Repeat([]string{"short"}, short)...)
	b.Push(slices.Repeat([]string{"long"}, long)...)
	b.Start(func(_ context.Context, k *worker.Task) error {
		if string(k.Payload) == "long" {
			begun <- struct{}{}
			<-time.After(each)
		}
		return nil
	})
	<-begun
	<-time.After(soon)
	if n := b.InHand(); n > long/10 {
		t.Errorf("%d tasks are in hand after %s, though each takes %s", n, soon, each)
	}
}

// What a process of the pod has left is not kept from others by the one that comes after it, beyond what it can begin.
func TestWhatAKilledProcessLeftIsNotHoarded(t *testing.T) {
	b := workertest.New(t)
	const left = 5
	begun, finish := make(chan struct{}, 2*left), make(chan struct{})
	block := func(context.Context, *worker.Task) error {
		begun <- struct{}{}
		<-finish
		return nil
	}
	b.Push(slices.Repeat([]string{"task"}, left)...)
	killed := b.Start(block, worker.WithConcurrency(left))
	for range left {
		<-begun
	}
	killed.Kill()
	b.Start(block)
	<-begun
	b.StartIn("pod-1", func(context.Context, *worker.Task) error { return nil })
	b.AwaitDone(left - 1)
	close(finish)
	b.AwaitDone(left)
}
