package workermetrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workermetrics"
)

func TestObserver(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := workermetrics.New(registry, "mail")
	for range 3 {
		o.Started(nil)
	}
	o.Ended(nil, worker.Done, 2*time.Second)
	o.Ended(nil, worker.Dead, time.Millisecond)
	want := `
# HELP qscaler_worker_attempts_total Attempts at tasks that have ended, by outcome: done, retried, dead, handed_back, not_held.
# TYPE qscaler_worker_attempts_total counter
qscaler_worker_attempts_total{outcome="dead",queue="mail"} 1
qscaler_worker_attempts_total{outcome="done",queue="mail"} 1
# HELP qscaler_worker_tasks_in_hand Attempts at tasks that are under way.
# TYPE qscaler_worker_tasks_in_hand gauge
qscaler_worker_tasks_in_hand{queue="mail"} 1
`
	err := testutil.GatherAndCompare(registry, strings.NewReader(want), "qscaler_worker_attempts_total", "qscaler_worker_tasks_in_hand")
	if err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "qscaler_worker_attempt_duration_seconds"); n != 2 || err != nil {
		t.Errorf("%d histograms (%v), want one for each outcome seen", n, err)
	}
}
