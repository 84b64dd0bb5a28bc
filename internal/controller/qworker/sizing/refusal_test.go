package sizing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/podmetrics"
)

const quotaWords = "exceeded quota: q, requested: requests.memory=237Mi, used: requests.memory=64Mi, limited: requests.memory=64Mi"

// What a process before was answered stands: new pods are made as in the podSpec without another try, and the condition
// says why. A spec that has changed has another.
func TestARefusedSizeOutlivesTheOperator(t *testing.T) {
	w := newWorld(t)
	w.recommended("237Mi")
	r := w.round(t, 0)
	if !r.Blames(quotaWords, false) {
		t.Fatal("the size is not to blame")
	}
	before := r.Condition(nil)
	w.fleet.QWorker.Status.Conditions = append(w.fleet.QWorker.Status.Conditions, before)
	for generation, applies := range map[int64]bool{0: false, 1: true} {
		w.memory = Memory{}
		w.fleet.QWorker.Generation = generation
		r := w.round(t, time.Second)
		if r.appliesToNew() != applies {
			t.Errorf("generation %d: the size is tried: %t, want %t", generation, !applies, applies)
		}
		if diff := cmp.Diff(before, r.Condition(nil)); (diff == "") == applies {
			t.Errorf("generation %d: the condition, -before +after:\n%s", generation, diff)
		}
	}
}

// A refusal of the recommended size is no longer blamed for what refuses the template's size too.
func TestARefusedSizeIsBlamedOnlyForWhatItIs(t *testing.T) {
	w := newWorld(t)
	w.recommended("237Mi")
	steps := []struct {
		name    string
		after   time.Duration
		words   string
		created bool
		// blamed is the answer; applies is whether the next pod gets what is recommended.
		blamed, applies bool
	}{
		{"nothing is refused", 0, "", false, false, true},
		{"the size is refused", 0, quotaWords, false, true, false},
		{"the template's size is refused too", 0, quotaWords, false, false, true},
		{"at once again", 0, quotaWords, false, false, true},
		{"just before the size may be to blame again", blamelessFor - 1, quotaWords, false, false, true},
		{"long after the first, and not after the last", blamelessFor - 1, quotaWords, false, false, true},
		{"a while after the last", blamelessFor, quotaWords, false, true, false},
		{"the template's size is refused after that", 0, quotaWords, false, false, true},
		{"just before the size may be to blame", blamelessFor - 1, "", false, false, true},
		{"when it may be", 1, quotaWords, false, true, false},
		{"when it is tried again", refusalLasts, quotaWords, false, true, false},
		{"the template's size is refused again", refusalLasts - 1, quotaWords, false, false, true},
		{"another pod was created", 0, quotaWords, true, true, false},
	}
	for _, s := range steps {
		r := w.round(t, s.after)
		if blamed := r.Blames(s.words, s.created); blamed != s.blamed || r.appliesToNew() != s.applies {
			t.Errorf("%s: it is to blame: %t, want %t; the next pod gets what is recommended: %t, want %t", s.name, blamed, s.blamed, r.appliesToNew(), s.applies)
		}
		if want := w.fleet.Now.Add(refusalLasts); s.blamed && !r.RecheckAt.Equal(want) {
			t.Errorf("%s: looks again at %s, want %s", s.name, r.RecheckAt, want)
		}
	}
}

func TestWhatASizeIsNotBlamedFor(t *testing.T) {
	usage := func(w *world) {
		w.answer = podmetrics.Snapshot{ReadAt: noon, Pods: map[string]podmetrics.Pod{"p": {Time: noon, Containers: []podmetrics.Container{use("worker", "1m", "200Mi")}}}}
	}
	for name, tc := range map[string]struct {
		words  string
		change func(*world)
		want   bool
	}{
		"a quota refuses more than the template":         {quotaWords, nil, true},
		"a quota refuses less than the template":         {quotaWords, maxAllowed("32Mi"), false},
		"a limit range refuses less than the template":   {"minimum memory usage per Container is 64Mi", maxAllowed("32Mi"), true},
		"the template's own size is refused":             {"maximum memory usage per Container is 32Mi", maxAllowed("64Mi"), false},
		"nothing is given to new pods":                   {quotaWords, func(w *world) { w.mode("Off") }, false},
		"right-sizing is not wanted":                     {quotaWords, func(w *world) { w.fleet.QWorker.Spec.ScaleConfig.ActivateVPA = false }, false},
		"there is no revision that could be right-sized": {quotaWords, func(w *world) { w.fleet.Newest = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sizedPod("p", "64Mi"))
			w.fleet.QWorker.Spec.RightSizing = &v1alpha1.RightSizingSpec{}
			usage(w)
			if tc.change != nil {
				tc.change(w)
			}
			w.fleet.QWorker.Spec.RightSizing.ControlledResources = []corev1.ResourceName{"memory"}
			r := w.round(t, 0)
			if got := r.Blames(tc.words, false); got != tc.want {
				t.Errorf("it is to blame: %t, want %t", got, tc.want)
			}
		})
	}
}
