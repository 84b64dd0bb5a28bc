package backlog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	reads *prometheus.HistogramVec
	rings prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		reads: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "qscaler_broker_read_duration_seconds",
			Help:    "Time of one batched read of a broker, by result: ok or error.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}, []string{"result"}),
		rings: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "qscaler_broker_rings_total",
			Help: "Pushes of brokers that queues have changed.",
		}),
	}
	if r != nil {
		r.MustRegister(m.reads, m.rings)
	}
	return m
}

func (m *metrics) observe(err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.reads.WithLabelValues(result).Observe(took.Seconds())
}
