package simulation

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
)

// TestWhatAReconciliationAllocates has fleets that are as they should be be looked at once more, as for any event of one
// of their pods. What that allocates grows with the pods and with nothing else: a fleet of a thousand is looked at a
// thousand times while it starts. The list that the cache returns is among it.
func TestWhatAReconciliationAllocates(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	const (
		once   = 650 // the QWorker, its revision, its ScalerConfig, its status and its conditions: about 560, and 610 with -race
		perPod = 3   // about 2, of which one is the simulated cache's, which has no index
	)
	for _, pods := range []int{10, 100, 1000} {
		bubbletest.Run(t, func(t *testing.T) {
			w := restingFleet(t, pods)
			defer func() { w.operator.stop() }()
			writes := w.faults.writes
			const runs = 10
			allocations := testing.AllocsPerRun(runs, func() {
				if _, err := w.operator.reconciler.Reconcile(context.Background(), ctrl.Request{NamespacedName: fleetName}); err != nil {
					t.Fatal(err)
				}
			})
			if most := float64(once + perPod*pods); allocations > most {
				t.Errorf("a reconciliation of %d pods allocates %.0f times, at most %.0f are right", pods, allocations, most)
			}
			t.Logf("%d pods: %.0f allocations", pods, allocations)
			if w.faults.writes > writes {
				t.Errorf("%d writes, and nothing has changed", w.faults.writes-writes)
			}
		})
	}
}

// TestWhatAThousandDeparturesCost has the number of workers of a fleet fall from a thousand to none: a write for each of
// them, one status, and one reading before the first.
func TestWhatAThousandDeparturesCost(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	bubbletest.Run(t, func(t *testing.T) {
		const workers = 1000
		w := idleFleet(t, workers)
		defer func() { w.operator.stop() }()
		w.edit(func(q *v1alpha1.QWorker) { q.Spec.ScaleConfig.MinReplicas = 0 })
		writes, readings := w.faults.writes, w.queues.readings
		w.second()
		if let := len(w.withGrants()); let != workers {
			w.fail(t, "%d are let go, want all %d", let, workers)
		}
		if n := w.faults.writes - writes; n != workers+1 {
			t.Errorf("%d writes, want one for each of %d workers, and a status", n, workers)
		}
		if n := w.queues.readings - readings; n > 2 { // one of the two would come anyway, sooner or later
			t.Errorf("%d readings, at most 2 are right", n)
		}
	})
}

// restingFleet is a world without any trouble, in which so many workers wait for tasks.
func restingFleet(t *testing.T, pods int) *world {
	w := newWorld(1)
	w.calm()
	w.edit(func(q *v1alpha1.QWorker) {
		q.Spec.ScaleConfig.MinReplicas, q.Spec.ScaleConfig.MaxReplicas = int32(pods), int32(pods)
	})
	const longest = 300
	if missing := w.settle(longest, w.unsettled); missing != "" {
		w.fail(t, "%d workers do not come to rest within %s: %s", pods, longest*time.Second, missing)
	}
	w.settle(longest, func() string { return "wait" })
	return w
}
