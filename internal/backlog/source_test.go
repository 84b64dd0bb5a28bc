package backlog

import (
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/broker"
)

// Nothing is kept of what is forgotten: watches come and go for years.
func TestNothingIsKeptOfWhatIsForgotten(t *testing.T) {
	s := newSource(Source{}, "1", Options{Clock: clock.RealClock{}}, nil)
	watches := map[string]*watch{}
	for name, queue := range map[string]string{"a": "q", "b": "q", "c": "r"} {
		watches[name] = &watch{source: s}
		s.add(watches[name], Watch{Query: broker.Query{Queue: queue}})
	}
	s.update(watches["c"], Watch{Query: broker.Query{Queue: "s"}})
	for _, w := range watches {
		s.request(w)
	}
	for _, w := range watches {
		s.remove(w)
	}
	if len(s.watches)+len(s.dirty)+len(s.byQueue) > 0 {
		t.Errorf("kept: %d watches, %d marks, %d queues", len(s.watches), len(s.dirty), len(s.byQueue))
	}
}

// The default jitter is a tenth more or less, both included, of the shortest length as well.
func TestJitter(t *testing.T) {
	for _, d := range []time.Duration{1, 4, 5, 9, 10, 1000, time.Minute} {
		least, most := d, d
		for range 10000 {
			got := jitter(d)
			least, most = min(least, got), max(most, got)
		}
		if least < d*9/10 || most > d*11/10 {
			t.Errorf("%s becomes %s to %s", d, least, most)
		}
		if near := d / 1000; least > d*9/10+near || most < d*11/10-near {
			t.Errorf("%s becomes only %s to %s", d, least, most)
		}
	}
}
