package qworker

import (
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

// Registerer is where metrics are registered.
type Registerer = prometheus.Registerer

// metrics are what an operator of QScaler watches and alerts on.
type metrics struct {
	replicas *prometheus.GaugeVec
	messages *prometheus.GaugeVec
	actions  *prometheus.CounterVec
	sizes    *sizeMetrics
}

func newMetrics(r Registerer) *metrics {
	m := &metrics{
		sizes: newSizeMetrics(r),
		replicas: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "qscaler_qworker_replicas",
			Help: "Workers of a QWorker by state: desired, current, ready, draining, terminating.",
		}, []string{"namespace", "qworker", "state"}),
		messages: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "qscaler_qworker_messages",
			Help: "Messages of a QWorker's queue by state, as in its status: waiting, in_flight.",
		}, []string{"namespace", "qworker", "state"}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "qscaler_qworker_actions_total",
			Help: "What was done to the pods of a QWorker, by kind, and for GrantLeave by the grant's reason.",
		}, []string{"namespace", "qworker", "kind", "reason"}),
	}
	r.MustRegister(m.replicas, m.messages, m.actions)
	return m
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
		messages.WithLabelValues("in_flight").Set(float64(st.Queue.InFlight))
	}
	for _, a := range done {
		m.actions.WithLabelValues(name.Namespace, name.Name, string(a.Kind), string(a.Grant)).Inc()
	}
}

func (m *metrics) forget(name types.NamespacedName) {
	m.sizes.forget(name)
	// Each by its labels: a partial match looks at the series of every QWorker.
	for _, state := range []string{"desired", "current", "ready", "draining", "terminating"} {
		m.replicas.DeleteLabelValues(name.Namespace, name.Name, state)
	}
	for _, state := range []string{"waiting", "in_flight"} {
		m.messages.DeleteLabelValues(name.Namespace, name.Name, state)
	}
	for _, kind := range planner.Kinds() {
		for _, reason := range grantReasons {
			m.actions.DeleteLabelValues(name.Namespace, name.Name, string(kind), string(reason))
		}
	}
}

// grantReasons are the values of the label reason; none for all kinds but GrantLeave.
var grantReasons = []contract.Reason{"", contract.ReasonScaleDown, contract.ReasonRollout, contract.ReasonNodeDrain, contract.ReasonDelete}

func labelsOf(name types.NamespacedName) prometheus.Labels {
	return prometheus.Labels{"namespace": name.Namespace, "qworker": name.Name}
}
