package backlog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	reads *prometheus.HistogramVec
	rings prometheus.Counter
}

func newMetrics(r prometheus.Registerer, b *Backlog) *metrics {
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
		r.MustRegister(m.reads, m.rings, up{b})
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

// up shows which brokers answer, as they are when somebody looks.
type up struct{ *Backlog }

var upDesc = prometheus.NewDesc("qscaler_broker_up",
	"Whether a broker answers: 1 or 0; absent until it was tried. The source is the ScalerConfig.", []string{"source"}, nil)

// Describe is prometheus.Collector's.
func (up) Describe(descs chan<- *prometheus.Desc) { descs <- upDesc }

// Collect is prometheus.Collector's.
func (u up) Collect(out chan<- prometheus.Metric) {
	for name, value := range u.values() {
		out <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, value, name)
	}
}

// values are by name. While a ScalerConfig's connection is changed there are two of one name; the worse counts.
func (u up) values() map[string]float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	values := map[string]float64{}
	for _, s := range u.sources {
		health := s.healthNow()
		if s.name == "" || !health.Known {
			continue
		}
		value, seen := values[s.name]
		if health.Err != nil {
			value = 0
		} else if !seen {
			value = 1
		}
		values[s.name] = value
	}
	return values
}
