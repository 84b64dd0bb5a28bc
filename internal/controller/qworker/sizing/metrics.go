package sizing

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/quickube/qscaler/api/v1alpha1"
	table "github.com/quickube/qscaler/internal/metrics"
)

// metrics are those of right-sizing.
type metrics struct {
	requests *prometheus.GaugeVec
	kills    *prometheus.CounterVec
	resized  *prometheus.CounterVec

	mu sync.Mutex
	// containers has those that a QWorker has series of.
	containers map[types.NamespacedName]sets.Set[string]
}

func newMetrics(r prometheus.Registerer) *metrics {
	return &metrics{
		requests:   table.QWorkerRecommendedRequests().Register(r),
		kills:      table.QWorkerOutOfMemoryKills().Register(r),
		resized:    table.QWorkerResizes().Register(r),
		containers: map[types.NamespacedName]sets.Set[string]{},
	}
}

// recommended shows what is recommended, and no longer what was: of a container that is gone, or a resource that is not
// controlled any more.
func (m *metrics) recommended(name types.NamespacedName, recommendations []v1alpha1.ContainerRecommendation) {
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

func (m *metrics) kill(name types.NamespacedName, container string) {
	m.has(name, container)
	m.kills.WithLabelValues(name.Namespace, name.Name, container).Inc()
}

func (m *metrics) resizes(name types.NamespacedName, succeeded, failed int) {
	m.resized.WithLabelValues(name.Namespace, name.Name, "succeeded").Add(float64(succeeded))
	m.resized.WithLabelValues(name.Namespace, name.Name, "failed").Add(float64(failed))
}

func (m *metrics) has(name types.NamespacedName, container string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.containers[name] == nil {
		m.containers[name] = sets.Set[string]{}
	}
	m.containers[name].Insert(container)
}

// of are the containers that a QWorker has series of.
func (m *metrics) of(name types.NamespacedName) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.containers[name].UnsortedList()
}

func (m *metrics) forget(name types.NamespacedName) {
	for _, container := range m.of(name) {
		table.QWorkerRecommendedRequests().Forget(m.requests, name.Namespace, name.Name, container)
		table.QWorkerOutOfMemoryKills().Forget(m.kills, name.Namespace, name.Name, container)
	}
	table.QWorkerResizes().Forget(m.resized, name.Namespace, name.Name)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.containers, name)
}
