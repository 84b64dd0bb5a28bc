package qworker

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
	table "github.com/quickube/qscaler/internal/metrics"
	"github.com/quickube/qscaler/internal/planner"
)

// Registerer is where metrics are registered.
type Registerer = prometheus.Registerer

// metrics are what an operator of QScaler watches and alerts on.
type metrics struct {
	replicas *prometheus.GaugeVec
	messages *prometheus.GaugeVec
	unknown  *prometheus.GaugeVec
	actions  *prometheus.CounterVec
}

func newMetrics(r Registerer) *metrics {
	return &metrics{
		replicas: table.QWorkerReplicas().Register(r),
		messages: table.QWorkerMessages().Register(r),
		unknown:  table.QWorkerUnknownHolderTasks().Register(r),
		actions:  table.QWorkerActions().Register(r),
	}
}

func (m *metrics) observe(name types.NamespacedName, st *v1alpha1.QWorkerStatus, done []planner.Action) {
	replicas := m.replicas.MustCurryWith(labelsOf(name))
	replicas.WithLabelValues("desired").Set(float64(st.DesiredReplicas))
	replicas.WithLabelValues("current").Set(float64(st.CurrentReplicas))
	replicas.WithLabelValues("ready").Set(float64(st.ReadyReplicas))
	replicas.WithLabelValues("draining").Set(float64(st.DrainingReplicas))
	replicas.WithLabelValues("terminating").Set(float64(st.TerminatingReplicas))
	if st.Queue != nil {
		messages := m.messages.MustCurryWith(labelsOf(name))
		messages.WithLabelValues("waiting").Set(float64(st.Queue.Waiting))
		if n := st.Queue.InFlight; n != nil {
			messages.WithLabelValues("in_flight").Set(float64(*n))
		} else {
			m.messages.DeleteLabelValues(name.Namespace, name.Name, "in_flight")
		}
	}
	unknown := int64(0)
	if st.UnknownHolders != nil {
		unknown = st.UnknownHolders.Tasks
	}
	m.unknown.With(labelsOf(name)).Set(float64(unknown))
	for _, a := range done {
		m.actions.WithLabelValues(name.Namespace, name.Name, string(a.Kind), string(a.Grant)).Inc()
	}
}

func (m *metrics) forget(name types.NamespacedName) {
	table.QWorkerReplicas().Forget(m.replicas, name.Namespace, name.Name)
	table.QWorkerMessages().Forget(m.messages, name.Namespace, name.Name)
	table.QWorkerUnknownHolderTasks().Forget(m.unknown, name.Namespace, name.Name)
	table.QWorkerActions().Forget(m.actions, name.Namespace, name.Name)
}

func labelsOf(name types.NamespacedName) prometheus.Labels {
	return prometheus.Labels{"namespace": name.Namespace, "qworker": name.Name}
}
