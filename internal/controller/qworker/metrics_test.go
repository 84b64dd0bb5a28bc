package qworker

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	table "github.com/quickube/qscaler/internal/metrics"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

// What the planner can do, and why a worker may leave, are values that the table knows: others would never be forgotten.
func TestTheTableKnowsEachAction(t *testing.T) {
	var kinds []string
	for _, kind := range planner.Kinds() {
		kinds = append(kinds, string(kind))
	}
	var reasons []string
	for _, reason := range []contract.Reason{"", contract.ReasonScaleDown, contract.ReasonRollout, contract.ReasonNodeDrain, contract.ReasonDelete} {
		reasons = append(reasons, string(reason))
	}
	labels := table.QWorkerActions().Labels
	if diff := cmp.Diff([][]string{kinds, reasons}, [][]string{labels[2].Values, labels[3].Values}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMetricsOfAQWorkerGoWithIt(t *testing.T) {
	registry, name := prometheus.NewRegistry(), types.NamespacedName{Namespace: "n", Name: "w"}
	m := newMetrics(registry)
	var done []planner.Action
	for _, kind := range planner.Kinds() {
		done = append(done, planner.Action{Kind: kind}, planner.Action{Kind: kind, Grant: contract.ReasonDelete})
	}
	m.observe(name, &v1alpha1.QWorkerStatus{Queue: &v1alpha1.QueueStatus{InFlight: ptr.To[int64](0)}}, done)
	count := func() (n int) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			n += len(f.GetMetric())
		}
		return n
	}
	if n, want := count(), 5+2+1+2*len(planner.Kinds()); n != want {
		t.Errorf("%d series, want %d", n, want)
	}
	m.forget(name)
	if n := count(); n != 0 {
		t.Errorf("%d series are left of a QWorker that is gone", n)
	}
}
