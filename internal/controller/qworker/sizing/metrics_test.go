package sizing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// series has what is told of containers and resources, by metric.
func series(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetName() != "namespace" && l.GetName() != "qworker" {
					key += " " + l.GetValue()
				}
			}
			told[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return told
}

// What is recommended no more, and whose QWorker is gone, is not told for ever.
func TestMetricsTellWhatIsRecommendedNow(t *testing.T) {
	registry, name := prometheus.NewRegistry(), types.NamespacedName{Namespace: "n", Name: "w"}
	m := newMetrics(registry)
	recommend := func(container, cpu, memory string) v1alpha1.ContainerRecommendation {
		r := v1alpha1.ContainerRecommendation{Name: container, Requests: corev1.ResourceList{}}
		for name, q := range map[corev1.ResourceName]string{"cpu": cpu, "memory": memory} {
			if q != "" {
				r.Requests[name] = resource.MustParse(q)
			}
		}
		return r
	}
	const of = "qscaler_qworker_recommended_requests "
	m.recommended(name, []v1alpha1.ContainerRecommendation{recommend("worker", "250m", "1Ki"), recommend("side", "1", "2Ki")})
	want := map[string]float64{of + "worker cpu": 0.25, of + "worker memory": 1024, of + "side cpu": 1, of + "side memory": 2048}
	if diff := cmp.Diff(want, series(t, registry)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	m.recommended(name, []v1alpha1.ContainerRecommendation{recommend("worker", "", "3Ki")})
	m.kill(name, "worker")
	m.resizes(name, 2, 1)
	want = map[string]float64{
		of + "worker memory": 3072, "qscaler_qworker_out_of_memory_kills_total worker": 1,
		"qscaler_qworker_resizes_total succeeded": 2, "qscaler_qworker_resizes_total failed": 1,
	}
	if diff := cmp.Diff(want, series(t, registry)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	m.kill(name, "of which nothing is recommended")
	m.forget(name)
	if left := series(t, registry); len(left) > 0 || len(m.containers) > 0 {
		t.Errorf("left of a QWorker that is gone: %v, %v", left, m.containers)
	}
}
