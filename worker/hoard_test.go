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
