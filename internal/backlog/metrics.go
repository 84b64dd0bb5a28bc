package backlog

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	table "github.com/quickube/qscaler/internal/metrics"
)

type metrics struct {
	reads *prometheus.HistogramVec
	rings prometheus.Counter
}

func newMetrics(r prometheus.Registerer, b *Backlog) *metrics {
	table.BrokerUp().RegisterFunc(r, b.up)
	table.QWorkerOldestMessageAge().RegisterSeries(r, b.oldest)
	table.BrokerUnservedLists().RegisterFunc(r, b.unservedLists)
	return &metrics{
		reads: table.BrokerReadDuration().Register(r),
		rings: table.BrokerRings().Register(r).WithLabelValues(),
	}
}

func (m *metrics) observe(err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.reads.WithLabelValues(result).Observe(took.Seconds())
}

// up shows which brokers answer, by name. While a ScalerConfig's connection is changed there are two of one name; the worse counts.
func (b *Backlog) up() map[string]float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	values := map[string]float64{}
	for _, s := range b.sources {
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

// unservedLists shows what workers hold of queues that nobody serves, by the name of the broker.
func (b *Backlog) unservedLists() map[string]float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	values := map[string]float64{}
	for _, s := range b.sources {
		if unserved := s.healthNow().Unserved; s.name != "" && unserved.Known {
			values[s.name] = max(values[s.name], float64(unserved.Lists))
		}
	}
	return values
}
