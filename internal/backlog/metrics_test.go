package backlog_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// gathered has the values of the metrics by name and label: a counter's, a gauge's, or how many seconds and how often.
func gathered(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			switch {
			case m.GetCounter() != nil:
				values[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				values[name] = m.GetGauge().GetValue()
			case m.GetHistogram() != nil:
				values[name+" seconds"] = m.GetHistogram().GetSampleSum()
				values[name+" times"] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return values
}

func TestReadsAndRingsAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	inBubble(t, backlog.Options{Registerer: registry, Jitter: exactly, SafetyInterval: time.Hour, CredentialsInterval: time.Hour}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.before = func([]broker.Query) { <-time.After(2 * time.Second) }
		b.Watch("a", watchOf("x", "q"))
		b.Watch("b", watchOf("x", "r"))
		wait(3 * time.Second)
		x.push("q", 1)
		wait(3 * time.Second)
		x.ringAll()
		x.set(func() { x.down = errDown })
		wait(3 * time.Second)
		want := map[string]float64{
			"qscaler_broker_rings_total":                         2,
			"qscaler_broker_read_duration_seconds ok times":      2,
			"qscaler_broker_read_duration_seconds ok seconds":    4,
			"qscaler_broker_read_duration_seconds error times":   1,
			"qscaler_broker_read_duration_seconds error seconds": 2,
		}
		if diff := cmp.Diff(want, gathered(t, registry)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		x.set(func() { x.down, x.opens = nil, x.closes+len(x.rings) })
	})
}

// A broker shows under the first name that somebody gives it. Where two have one name, the worse counts; one that has
// no name, or was not tried yet, does not show.
func TestWhichBrokersAnswer(t *testing.T) {
	registry := prometheus.NewRegistry()
	inBubble(t, backlog.Options{Registerer: registry}, func(t *testing.T, b *bubble) {
		x, y := b.brokers["x"], b.brokers["y"]
		keep := func(key, name string) {
			s := sourceAt(key)
			s.Name = name
			b.Keep(key+name, s, true)
		}
		untried := sourceAt("z")
		untried.Name = "untried"
		untried.Resolve = func(ctx context.Context) (broker.Config, error) {
			<-ctx.Done()
			return redis.Config{}, ctx.Err()
		}
		b.Keep("z", untried, true)
		for _, step := range []struct {
			what   string
			change func()
			want   map[string]float64
		}{
			{"no name", func() { keep("x", "") }, map[string]float64{}},
			{"a name", func() { keep("x", "one") }, map[string]float64{"one": 1}},
			{"another name", func() { keep("x", "two") }, map[string]float64{"one": 1}},
			{"a second broker of the name", func() { keep("y", "one") }, map[string]float64{"one": 1}},
			{"the second fails", func() { y.set(func() { y.down = errDown }); y.ringAll() }, map[string]float64{"one": 0}},
			{"the second is forgotten", func() { b.Forget("yone") }, map[string]float64{"one": 1}},
			{"the first fails", func() { x.set(func() { x.down = errDown }); x.ringAll() }, map[string]float64{"one": 0}},
			{"all are forgotten", func() { b.Forget("x"); b.Forget("xone"); b.Forget("xtwo") }, map[string]float64{}},
		} {
			step.change()
			wait(500 * ms)
			got := map[string]float64{}
			for name, value := range gathered(t, registry) {
				if source, ok := strings.CutPrefix(name, "qscaler_broker_up "); ok {
					got[source] = value
				}
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.what, diff)
			}
		}
	})
}

// What nobody serves shows under the broker's name once somebody has looked. Where two have one name, the worse counts.
func TestWhatNobodyServes(t *testing.T) {
	registry := prometheus.NewRegistry()
	inBubble(t, backlog.Options{Registerer: registry}, func(t *testing.T, b *bubble) {
		const metric = "qscaler_broker_unserved_lists one"
		for key, name := range map[string]string{"x": "one", "y": "one", "z": ""} {
			s := sourceAt(key)
			s.Name = name
			b.Keep(key, s, true)
		}
		for _, step := range []struct {
			source string
			lists  int
			want   map[string]float64
		}{
			{"z", 7, nil},
			{"x", 0, map[string]float64{metric: 0}},
			{"y", 2, map[string]float64{metric: 2}},
			{"x", 1, map[string]float64{metric: 2}},
			{"y", 0, map[string]float64{metric: 1}},
		} {
			b.NoteUnserved(step.source, backlog.Unserved{Known: true, Lists: step.lists})
			var got map[string]float64
			for name, value := range gathered(t, registry) {
				if strings.HasPrefix(name, "qscaler_broker_unserved_lists") {
					got = map[string]float64{name: value}
				}
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s has %d (-want +got):\n%s", step.source, step.lists, diff)
			}
		}
		wait(500 * ms)
	})
}
