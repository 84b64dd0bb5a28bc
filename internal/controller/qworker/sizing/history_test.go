package sizing

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/internal/podmetrics"
)

func use(container, cpu, memory string) podmetrics.Container {
	return podmetrics.Container{Name: container, Usage: podmetrics.Usage{CPU: resource.MustParse(cpu), Memory: resource.MustParse(memory)}}
}

func quoted(text string) string {
	data, _ := json.Marshal(text) // of a text there always is one
	return string(data)
}

// After a start, ten thousand QWorkers are saved all over the interval, and none in the same second as many others.
func TestFirstSavesAreSpread(t *testing.T) {
	const qworkers, tenths = 10_000, 10
	var saved [tenths]int
	for i := range qworkers {
		at := spread(types.UID(fmt.Sprintf("6f1c2a54-%04d-4e8b-9c07-5d3b1f0e9a77", i)))
		if at < 0 || at >= saveInterval {
			t.Fatalf("spread by %s", at)
		}
		saved[at/(saveInterval/tenths)]++
	}
	for i, n := range saved {
		if n < qworkers/tenths*8/10 || n > qworkers/tenths*12/10 {
			t.Errorf("%d of %d are saved in tenth %d of the interval, of %v", n, qworkers, i, saved)
		}
	}
}

// bounded right-sizes memory alone, to so much at most.
func bounded(memory string) func(*world) {
	return func(w *world) {
		maxAllowed(memory)(w)
		w.fleet.QWorker.Spec.RightSizing.ControlledResources = []corev1.ResourceName{"memory"}
	}
}

// steady has what is recommended stay as it is, whatever is measured.
func steady(w *world) {
	w.recommended("128Mi")
	bounded("128Mi")(w)
}

// Samples alone are saved when the interval has passed since the last time, and only where there are new ones.
func TestSamplesAreSavedNowAndThen(t *testing.T) {
	w := newWorld(t, sizedPod("p", "64Mi"))
	steady(w)
	first := saveInterval - spread("uid")
	for _, step := range []struct {
		name   string
		after  time.Duration
		sample bool
		saves  int
		// told is how many samples the status tells of.
		told int64
	}{
		{"at the start", 0, true, 0, 1},
		{"a moment before a part of the interval has passed", first - 1, true, 0, 1},
		{"when it has passed", 1, true, 1, 3},
		{"a moment before the next", saveInterval - 1, true, 1, 3},
		{"the next, without a sample", 1, false, 1, 3},
		{"after it, with one", time.Second, true, 2, 5},
		{"at once after it", 0, false, 2, 5},
	} {
		if step.sample {
			w.fleet.Now = w.fleet.Now.Add(step.after)
			w.uses(w.fleet.Now, "1Gi", "p")
			step.after = 0
		}
		r := w.round(t, step.after)
		if told := r.Recommendations[0].Samples; len(w.saves) != step.saves || told != step.told {
			t.Errorf("%s: %d saves and %d samples told of, want %d and %d", step.name, len(w.saves), told, step.saves, step.told)
		}
	}
}

// One new sample is enough, of whichever pod. Without one there is nothing to save, though the interval has passed.
func TestSavesForTheSakeOfASample(t *testing.T) {
	for name, tc := range map[string]struct {
		// pods have a sample, and fresh are those whose sample is new.
		pods, fresh []string
		err         error
		saves       int
	}{
		"of the first pod":           {[]string{"a", "b"}, []string{"a"}, nil, 1},
		"of the second pod":          {[]string{"a", "b"}, []string{"b"}, nil, 1},
		"all are known":              {[]string{"a", "b"}, nil, nil, 0},
		"no pod has one":             {nil, nil, nil, 0},
		"the metrics API has failed": {[]string{"a", "b"}, []string{"a", "b"}, errNo, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sizedPod("a", "64Mi"), sizedPod("b", "64Mi"))
			steady(w)
			w.uses(noon, "1Gi", "a", "b")
			w.round(t, 0)
			w.fleet.Now = noon.Add(saveInterval)
			w.uses(noon, "1Gi", tc.pods...)
			w.answer.Err = tc.err
			for _, pod := range tc.fresh {
				w.answer.Pods[pod] = podmetrics.Pod{Time: w.fleet.Now, Containers: w.answer.Pods[pod].Containers}
			}
			w.round(t, 0)
			if len(w.saves) != tc.saves {
				t.Errorf("%d saves, want %d", len(w.saves), tc.saves)
			}
		})
	}
}

// What must not be forgotten is saved at once, and once. What is learned a second later waits for its turn again.
func TestWhatIsSavedAtOnce(t *testing.T) {
	nothing := func(*world) {}
	kill := func(pod int) func(*world) { return func(w *world) { killed(w.fleet.Pods[pod]) } }
	for name, tc := range map[string]struct {
		before, change func(*world)
		saves          int
	}{
		"nothing":                        {steady, nothing, 0},
		"a kill that raises the memory":  {steady, kill(0), 1},
		"a kill that was answered":       {kill(0), kill(1), 1},
		"what is recommended at first":   {nothing, func(w *world) { w.uses(noon, "1Gi", "a") }, 1},
		"nothing that was saved already": {kill(0), bounded("100Mi"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sizedPod("a", "64Mi"), sizedPod("b", "64Mi"))
			bounded("4Gi")(w)
			tc.before(w)
			w.round(t, 0)
			tc.change(w)
			saved := len(w.saves)
			for range 2 {
				w.round(t, time.Second)
			}
			w.fleet.Now = w.fleet.Now.Add(time.Second)
			w.uses(w.fleet.Now, "100Mi", "a")
			w.round(t, 0)
			if got := len(w.saves) - saved; got != tc.saves {
				t.Errorf("%d saves, want %d", got, tc.saves)
			}
		})
	}
}

// When a sample was taken is the metrics API's word, as far as it can be.
func TestTimesOfSamples(t *testing.T) {
	for name, tc := range map[string]struct {
		at   time.Time
		want time.Time
	}{
		"a while ago":                      {noon.Add(-time.Minute), noon.Add(-time.Minute)},
		"just now":                         {noon, noon},
		"it is not told":                   {time.Time{}, noon},
		"the node's clock is ahead":        {noon.Add(time.Minute), noon},
		"as long ago as is believed":       {noon.Add(-staleAfter), noon.Add(-staleAfter)},
		"longer ago than that, or unknown": {noon.Add(-staleAfter - 1), time.Time{}},
	} {
		w := newWorld(t, sizedPod("p", "64Mi"))
		w.uses(tc.at, "1Gi", "p")
		w.round(t, 0)
		if got := w.memory.history.Usage("worker"); !got.Last.Equal(tc.want) || (got.Samples == 1) == tc.want.IsZero() {
			t.Errorf("%s: %d samples, the last of %s, want %s", name, got.Samples, got.Last, tc.want)
		}
	}
}

// A sample that is told twice counts once, as long as its pod is there. Pods and containers that are gone are forgotten.
func TestWhatIsGoneIsForgotten(t *testing.T) {
	a, b, c := sizedPod("a", "64Mi"), sizedPod("b", "64Mi", killedContainer("side")), sizedPod("c", "64Mi")
	w := newWorld(t)
	w.withSide()
	for _, step := range []struct {
		name    string
		pods    []*corev1.Pod
		samples int64
	}{
		{"all three", []*corev1.Pod{a, b, c}, 3},
		{"all three again", []*corev1.Pod{a, b, c}, 3},
		{"one is gone", []*corev1.Pod{a, c}, 3},
		{"one of its name is there", []*corev1.Pod{a, b, c}, 4},
		{"all are gone", nil, 4},
	} {
		w.fleet.Now = w.fleet.Now.Add(time.Second)
		w.fleet.Pods = step.pods
		w.uses(noon, "100Mi", "a", "b", "c")
		w.round(t, 0)
		if got := w.memory.history.Usage("worker").Samples; got != step.samples {
			t.Errorf("%s: %d samples, want %d", step.name, got, step.samples)
		}
	}
	if floor := w.memory.history.Floor("side", w.fleet.Now); floor == 0 {
		t.Error("what the kills have taught is gone with the pods")
	}
	w.fleet.Newest = template("64Mi")
	w.round(t, 0)
	if floor := w.memory.history.Floor("side", w.fleet.Now); floor > 0 {
		t.Errorf("a container that is not right-sized any more has a floor of %d", floor)
	}
}
