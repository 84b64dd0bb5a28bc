// Package requests puts requests that come from outside of Kubernetes into a controller's queue.
package requests

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Queue puts requests from outside of Kubernetes straight into the controller's queue, which holds each
// object once: however often a doorbell rings, nothing blocks and nothing piles up.
type Queue struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// Start is the source's: the controller hands over its queue.
func (w *Queue) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	return nil
}

// Waiting is how many objects wait for their turn.
func (w *Queue) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil {
		return 0
	}
	return w.queue.Len()
}

// Add wakes an object. Before the controller runs there is nothing to wake: it begins with all of them.
func (w *Queue) Add(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.Add(reconcile.Request{NamespacedName: name})
	}
}
