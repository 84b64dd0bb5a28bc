package rabbitmq

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// What moves from waiting to in flight is counted all the while, though the statistics are late.
func TestDepthsWhileStatisticsAreLate(t *testing.T) {
	type step struct {
		at                time.Duration
		ready             int64
		told              totals
		waiting, inFlight int64
	}
	known := func(ready, unacked int64) totals { return totals{true, true, ready, unacked} }
	cases := map[string][]step{
		"a queue that rests":  {{0, 3, known(3, 2), 3, 2}, {time.Minute, 3, known(3, 2), 3, 2}},
		"messages are pushed": {{0, 0, known(0, 0), 0, 0}, {time.Second, 5, known(0, 0), 5, 0}},
		"messages are taken": {
			{0, 5, known(0, 0), 5, 0}, {time.Second, 3, known(0, 0), 3, 2}, {5 * time.Second, 3, known(3, 2), 3, 2},
			{20 * time.Second, 3, known(3, 2), 3, 2},
		},
		"messages are done": {
			{0, 5, known(5, 0), 5, 0}, {time.Second, 0, known(5, 0), 0, 5}, {9 * time.Second, 0, known(0, 1), 0, 5},
			{12 * time.Second, 0, known(0, 1), 0, 1}, {30 * time.Second, 0, known(0, 0), 0, 0},
		},
		"taken and done at once, as the statistics knew them": {{0, 0, known(4, 1), 0, 5}, {11 * time.Second, 0, known(0, 0), 0, 0}},
		"a lower peak follows a higher": {
			{0, 9, known(9, 0), 9, 0}, {5 * time.Second, 6, known(6, 0), 6, 3}, {11 * time.Second, 1, known(1, 0), 1, 5}, {16 * time.Second, 1, known(1, 0), 1, 0},
		},
	}
	start := time.Now()
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			m := memory{}
			for _, s := range steps {
				want := broker.Depth{Waiting: broker.CountOf(s.waiting), InFlight: broker.CountOf(s.inFlight)}
				if diff := cmp.Diff(want, m.depth("q", s.ready, s.told, start.Add(s.at), 10*time.Second)); diff != "" {
					t.Errorf("after %s (-want +got):\n%s", s.at, diff)
				}
			}
		})
	}
}

func TestNothingIsRememberedOfEmptyQueues(t *testing.T) {
	m, now := memory{}, time.Now()
	m.depth("q", 3, totals{known: true}, now, time.Second)
	m.depth("r", 0, totals{known: true}, now, time.Second)
	m.depth("q", 0, totals{known: true}, now.Add(2*time.Second), time.Second)
	if len(m) > 0 {
		t.Errorf("it remembers %v", m)
	}
}

// Without statistics nobody knows what is in flight, which is not nothing.
func TestWithoutStatistics(t *testing.T) {
	if diff := cmp.Diff(broker.Depth{Waiting: broker.CountOf(7)}, memory{}.depth("q", 7, totals{}, time.Now(), time.Second)); diff != "" {
		t.Errorf("depth (-want +got):\n%s", diff)
	}
}
