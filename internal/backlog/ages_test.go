package backlog_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// agedDriver is a fakeDriver that tells how old messages are.
type agedDriver struct{ *fakeDriver }

func (d agedDriver) OldestAges(ctx context.Context, queues []string) ([]broker.Age, error) {
	d.mu.Lock()
	d.agesAsked = append(d.agesAsked, queues)
	ages := d.ages
	d.mu.Unlock()
	return ages(ctx, queues)
}

// askedForAges has the queues of each read of ages.
func (f *fakeBroker) askedForAges() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.agesAsked)
}

// agesOf says how old the messages of these queues are, in seconds.
func agesOf(seconds map[string]int) func(context.Context, []string) ([]broker.Age, error) {
	return func(_ context.Context, queues []string) ([]broker.Age, error) {
		ages := make([]broker.Age, len(queues))
		for i, queue := range queues {
			if n, known := seconds[queue]; known {
				ages[i] = broker.AgeOf(time.Duration(n) * time.Second)
			}
		}
		return ages, nil
	}
}

// shownAges are the ages of the metric, by the QWorker's namespace and name.
func shownAges(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	shown := map[string]float64{}
	for name, value := range gathered(t, r) {
		if object, ok := strings.CutPrefix(name, "qscaler_qworker_oldest_message_age_seconds "); ok {
			shown[object] = value
		}
	}
	return shown
}

func (b *bubble) watchAs(key backlog.Key, queue string) {
	w := watchOf("x", queue)
	w.Source.Kind = b.kind()
	b.Backlog.Watch(key, w)
}

// The ages of queues in which messages wait are asked for every 10 s, and of no others. What is known is shown, by
// QWorker; of several queues of one, the oldest message.
func TestAgesAreReadNowAndThen(t *testing.T) {
	registry := prometheus.NewRegistry()
	inBubble(t, backlog.Options{Registerer: registry, Jitter: exactly}, func(t *testing.T, b *bubble) {
		ages := map[string]int{"q": 60, "r": 90, "s": 7, "empty": 5, "z": 0}
		x := b.brokers["x"]
		x.depth = map[string]int64{"q": 1, "r": 2, "s": 3, "untold": 1, "z": 1, "refused": 4}
		x.refuses = map[string]error{"refused": errDown}
		x.ages = agesOf(ages)
		key := backlog.Key{Watcher: backlog.QWorker, Namespace: "ns", Name: "a"}
		of := func(name, revision string) backlog.Key {
			k := key
			k.Name, k.Revision = name, revision
			return k
		}
		for k, queue := range map[backlog.Key]string{
			of("a", ""): "q", of("a", "old"): "r", of("b", ""): "untold", of("c", ""): "empty", of("d", ""): "z", of("e", ""): "refused",
			of("f", ""): "q", {Watcher: backlog.ScalerConfig, Namespace: "ns", Name: "config"}: "s",
		} {
			b.watchAs(k, queue)
		}
		wait(9 * time.Second)
		if got, asked := shownAges(t, registry), x.askedForAges(); len(got) > 0 || len(asked) > 0 {
			t.Errorf("shown %v, asked for %v; want nothing yet", got, asked)
		}
		wait(2 * time.Second)
		if diff := cmp.Diff([][]string{{"q", "r", "s", "untold", "z"}}, x.askedForAges()); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]float64{"ns a": 90, "ns d": 0, "ns f": 60}, shownAges(t, registry)); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
		b.Backlog.Forget(of("a", "old"))
		b.Backlog.Forget(of("d", ""))
		x.push("q", -1)
		settle()
		if diff := cmp.Diff(map[string]float64{}, shownAges(t, registry)); diff != "" {
			t.Errorf("once no message waits (-want +got):\n%s", diff)
		}
		wait(10 * time.Second)
		if diff := cmp.Diff([][]string{{"q", "r", "s", "untold", "z"}, {"s", "untold"}}, x.askedForAges()); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}

// An age that could not be read is not shown. The depths are read all the same, at the moments at which they would be.
func TestAgesThatFailHarmNothing(t *testing.T) {
	began := func(t *testing.T, ages func(context.Context, []string) ([]broker.Age, error)) (offsets []time.Duration) {
		registry := prometheus.NewRegistry()
		inBubble(t, backlog.Options{Registerer: registry, Jitter: exactly, SafetyInterval: time.Second}, func(t *testing.T, b *bubble) {
			x := b.brokers["x"]
			x.depth["q"] = 1
			x.ages = agesOf(map[string]int{"q": 60})
			b.Watch("a", watchOf("x", "q"))
			start := time.Now()
			wait(11 * time.Second)
			if got := shownAges(t, registry); got[" a"] != 60 {
				t.Errorf("shown before it fails: %v", got)
			}
			if ages != nil {
				x.set(func() { x.ages = ages })
			}
			wait(15 * time.Second) // one round, and the time of a read
			if got := shownAges(t, registry); ages != nil && len(got) > 0 {
				t.Errorf("shown after it failed: %v", got)
			}
			b.forgetWakes()
			wait(25 * time.Second)
			if h, woken := b.Health("x"), b.wakes(); h.Err != nil || len(woken) > 0 || b.Last("a").Err != nil {
				t.Errorf("the health is %+v, the reading %+v, woken %v", h, b.Last("a"), woken)
			}
			if opens, _, _ := x.counts(); opens != 1 {
				t.Errorf("%d connections, want 1", opens)
			}
			for _, at := range x.began {
				offsets = append(offsets, at.Sub(start))
			}
		})
		return offsets
	}
	want := began(t, nil)
	for name, ages := range map[string]func(context.Context, []string) ([]broker.Age, error){
		"an error":      func(context.Context, []string) ([]broker.Age, error) { return []broker.Age{broker.AgeOf(0)}, errDown },
		"no age":        func(context.Context, []string) ([]broker.Age, error) { return make([]broker.Age, 1), nil },
		"too few":       func(context.Context, []string) ([]broker.Age, error) { return nil, nil },
		"too many":      func(context.Context, []string) ([]broker.Age, error) { return []broker.Age{broker.AgeOf(1), {}}, nil },
		"a panic":       func(context.Context, []string) ([]broker.Age, error) { panic("a mistake") },
		"it never ends": func(ctx context.Context, _ []string) ([]broker.Age, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, began(t, ages)); diff != "" {
				t.Errorf("when depths were read (-without a failure +got):\n%s", diff)
			}
		})
	}
}

// Many queues are asked for in parts, and one part that fails does not hide the others.
func TestAgesAreReadInParts(t *testing.T) {
	registry := prometheus.NewRegistry()
	inBubble(t, backlog.Options{Registerer: registry, Jitter: exactly}, func(t *testing.T, b *bubble) {
		b.cadence = broker.Cadence{Budget: 2}
		x := b.brokers["x"]
		answer := agesOf(map[string]int{"q0": 1, "q1": 2, "q2": 3, "q3": 4, "q4": 5})
		x.ages = func(ctx context.Context, queues []string) ([]broker.Age, error) {
			if ages, err := answer(ctx, queues); queues[0] != "q0" {
				return ages, err
			}
			return nil, errDown
		}
		for i := range 5 {
			queue := fmt.Sprint("q", i)
			x.depth[queue] = 1
			b.Watch(queue, watchOf("x", queue))
		}
		wait(11 * time.Second)
		if diff := cmp.Diff([][]string{{"q0", "q1"}, {"q2", "q3"}, {"q4"}}, x.askedForAges()); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]float64{" q2": 3, " q3": 4, " q4": 5}, shownAges(t, registry)); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
	})
}

// What was read over one connection is not shown of the next, which may lead to another server. And nothing is shown while
// there is none.
func TestAgesEndWithTheirConnection(t *testing.T) {
	registry := prometheus.NewRegistry()
	inBubble(t, backlog.Options{Registerer: registry, Jitter: exactly, SafetyInterval: time.Second}, func(t *testing.T, b *bubble) {
		x := b.brokers["x"]
		x.depth["q"] = 1
		x.ages = agesOf(map[string]int{"q": 60})
		b.Watch("a", watchOf("x", "q"))
		shows := func(what string, want map[string]float64) {
			t.Helper()
			if diff := cmp.Diff(want, shownAges(t, registry)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		wait(11 * time.Second)
		shows("connected", map[string]float64{" a": 60})
		x.set(func() { x.lasts = 1 })
		wait(time.Second)
		shows("the connection was lost", map[string]float64{})
		x.set(func() { x.lasts = 0 })
		wait(time.Second)
		if b.Last("a").Err != nil {
			t.Fatalf("the reading is %+v, want a new one", b.Last("a"))
		}
		shows("connected again, and not read yet", map[string]float64{})
		wait(10 * time.Second)
		shows("read again", map[string]float64{" a": 60})
	})
}
