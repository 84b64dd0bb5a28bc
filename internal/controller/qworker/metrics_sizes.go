package qworker

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// sizeMetrics are those of right-sizing.
type sizeMetrics struct {
	requests *prometheus.GaugeVec
	kills    *prometheus.CounterVec
	resized  *prometheus.CounterVec

	mu sync.Mutex
	// containers has those that a QWorker has series of.
	containers map[types.NamespacedName]map[string]bool
}

func newSizeMetrics(r Registerer) *sizeMetrics {
	m := &sizeMetrics{
		requests: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "qscaler_qworker_recommended_requests",
			Help: "What is recommended for a container of a QWorker's workers: cpu in cores, memory in bytes.",
		}, []string{"namespace", "qworker", "container", "resource"}),
		kills: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "qscaler_qworker_out_of_memory_kills_total",
			Help: "Containers of a QWorker's workers that were killed out of memory.",
		}, []string{"namespace", "qworker", "container"}),
		resized: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "qscaler_qworker_resizes_total",
			Help: "Running pods of a QWorker that were raised in place, by result: succeeded, failed.",
		}, []string{"namespace", "qworker", "result"}),
		containers: map[types.NamespacedName]map[string]bool{},
	}
	r.MustRegister(m.requests, m.kills, m.resized)
	return m
}

// recommended shows what is recommended, and no longer what was: of a container that is gone, or a resource that is not
// controlled any more.
func (m *sizeMetrics) recommended(name types.NamespacedName, recommendations []v1alpha1.ContainerRecommendation) {
	requests := make(map[string]corev1.ResourceList, len(recommendations))
	for _, r := range recommendations {
		m.has(name, r.Name)
		requests[r.Name] = r.Requests
	}
	for _, container := range m.of(name) {
		for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			if q, ok := requests[container][resource]; ok {
				m.requests.WithLabelValues(name.Namespace, name.Name, container, string(resource)).Set(q.AsApproximateFloat64())
			} else {
				m.requests.DeleteLabelValues(name.Namespace, name.Name, container, string(resource))
			}
		}
	}
}

func (m *sizeMetrics) kill(name types.NamespacedName, container string) {
	m.has(name, container)
	m.kills.WithLabelValues(name.Namespace, name.Name, container).Inc()
}

func (m *sizeMetrics) resizes(name types.NamespacedName, succeeded, failed int) {
	m.resized.WithLabelValues(name.Namespace, name.Name, "succeeded").Add(float64(succeeded))
	m.resized.WithLabelValues(name.Namespace, name.Name, "failed").Add(float64(failed))
}

func (m *sizeMetrics) has(name types.NamespacedName, container string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.containers[name] == nil {
		m.containers[name] = map[string]bool{}
	}
	m.containers[name][container] = true
}

// of are the containers that a QWorker has series of.
func (m *sizeMetrics) of(name types.NamespacedName) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.containers[name]))
}

func (m *sizeMetrics) forget(name types.NamespacedName) {
	m.recommended(name, nil)
	for _, container := range m.of(name) {
		m.kills.DeleteLabelValues(name.Namespace, name.Name, container)
	}
	for _, result := range []string{"succeeded", "failed"} {
		m.resized.DeleteLabelValues(name.Namespace, name.Name, result)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.containers, name)
}
