// Package workermetrics is an observer that counts a worker's tasks for Prometheus.
//
//	worker.Run(ctx, handle, worker.WithObserver(workermetrics.New(prometheus.DefaultRegisterer, os.Getenv("QSCALER_QUEUE"))))
//
// It is a package of its own so that a worker without metrics does not link Prometheus.
package workermetrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quickube/qscaler/worker"
)

// Observer counts attempts, and measures how long they take.
type Observer struct {
	attempts *prometheus.CounterVec
	vain     *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inHand   prometheus.Gauge
}

var _ worker.LateObserver = (*Observer)(nil)

// New registers, with the constant label queue:
//
//   - qscaler_worker_attempts_total, by outcome: done, retried, dead, handed_back, not_held;
//   - qscaler_worker_attempts_in_vain_total, those of them of which nothing came, because the task was not the
//     worker's any more, by outcome;
//   - qscaler_worker_attempt_duration_seconds, a histogram by outcome, from 1 ms to about 9 hours;
//   - qscaler_worker_tasks_in_hand, the attempts under way.
//
// It panics when they are registered already, as prometheus.MustRegister does.
func New(r prometheus.Registerer, queue string) *Observer {
	const (
		shortest = 0.001 // seconds
		factor   = 4
		buckets  = 13
	)
	o := &Observer{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "qscaler_worker_attempts_total",
			Help: "Attempts at tasks that have ended, by outcome: done, retried, dead, handed_back, not_held.",
		}, []string{"outcome"}),
		vain: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "qscaler_worker_attempts_in_vain_total",
			Help: "Attempts of whose outcome nothing came, because the task was not the worker's any more.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "qscaler_worker_attempt_duration_seconds",
			Help:    "How long attempts at tasks took, by outcome.",
			Buckets: prometheus.ExponentialBuckets(shortest, factor, buckets),
		}, []string{"outcome"}),
		inHand: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "qscaler_worker_tasks_in_hand",
			Help: "Attempts at tasks that are under way.",
		}),
	}
	prometheus.WrapRegistererWith(prometheus.Labels{"queue": queue}, r).MustRegister(o.attempts, o.vain, o.duration, o.inHand)
	return o
}

// Started implements worker.Observer.
func (o *Observer) Started(*worker.Task) { o.inHand.Inc() }

// Ended implements worker.Observer.
func (o *Observer) Ended(_ *worker.Task, outcome worker.Outcome, took time.Duration) {
	o.inHand.Dec()
	o.attempts.WithLabelValues(string(outcome)).Inc()
	o.duration.WithLabelValues(string(outcome)).Observe(took.Seconds())
}

// EndedInVain implements worker.LateObserver.
func (o *Observer) EndedInVain(_ *worker.Task, outcome worker.Outcome) {
	o.vain.WithLabelValues(string(outcome)).Inc()
}
