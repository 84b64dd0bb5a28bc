package metrics

import "github.com/prometheus/client_golang/prometheus"

// Registerer is where metrics are registered.
type Registerer = prometheus.Registerer

// Metric is one row of the table.
type Metric struct {
	Name, Help string
	// Labels are those of objects first, and then those with a fixed set of values.
	Labels []Label
}

// Label is one label of a metric.
type Label struct {
	Name string
	// Values are all that it can have, none where it names an object.
	Values []string
}

// Gauge is a metric that goes up and down.
type Gauge Metric

// Counter is a metric that goes up.
type Counter Metric

// Histogram is a metric that counts what is observed, by buckets.
type Histogram struct {
	Metric

	Buckets []float64
}

// Register makes the collector and registers it, where there is a registerer.
func (g Gauge) Register(r Registerer) *prometheus.GaugeVec {
	return register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: g.Name, Help: g.Help}, Metric(g).labelNames()))
}

// Register makes the collector and registers it, where there is a registerer.
func (c Counter) Register(r Registerer) *prometheus.CounterVec {
	return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.Name, Help: c.Help}, Metric(c).labelNames()))
}

// Register makes the collector and registers it, where there is a registerer.
func (h Histogram) Register(r Registerer) *prometheus.HistogramVec {
	return register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: h.Name, Help: h.Help, Buckets: h.Buckets}, h.labelNames()))
}

// RegisterFunc registers a gauge whose values are collected when somebody looks, by the value of its one label.
func (g Gauge) RegisterFunc(r Registerer, values func() map[string]float64) {
	g.RegisterSeries(r, func(show func(value float64, labels ...string)) {
		for label, value := range values() {
			show(value, label)
		}
	})
}

// RegisterSeries registers a gauge whose series are collected when somebody looks. No two have the same labels.
func (g Gauge) RegisterSeries(r Registerer, series func(show func(value float64, labels ...string))) {
	register(r, collected{prometheus.NewDesc(g.Name, g.Help, Metric(g).labelNames(), nil), series})
}

// collected is a gauge without a memory of its own.
type collected struct {
	desc   *prometheus.Desc
	series func(show func(value float64, labels ...string))
}

// Describe is prometheus.Collector's.
func (c collected) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect is prometheus.Collector's.
func (c collected) Collect(out chan<- prometheus.Metric) {
	c.series(func(value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, value, labels...)
	})
}

func register[C prometheus.Collector](r Registerer, c C) C {
	if r != nil {
		r.MustRegister(c)
	}
	return c
}

func (m Metric) labelNames() []string {
	var names []string
	for _, l := range m.Labels {
		names = append(names, l.Name)
	}
	return names
}

// Forget removes all series of an object, which is given by the values of the labels that name it.
func (g Gauge) Forget(v *prometheus.GaugeVec, object ...string) {
	Metric(g).forget(v.DeleteLabelValues, object)
}

// Forget removes all series of an object, which is given by the values of the labels that name it.
func (c Counter) Forget(v *prometheus.CounterVec, object ...string) {
	Metric(c).forget(v.DeleteLabelValues, object)
}

// forget removes each series by its labels: a partial match would look at the series of every object.
func (m Metric) forget(remove func(...string) bool, values []string) {
	if len(values) == len(m.Labels) {
		remove(values...)
		return
	}
	for _, value := range m.Labels[len(values)].Values {
		m.forget(remove, append(values[:len(values):len(values)], value))
	}
}
