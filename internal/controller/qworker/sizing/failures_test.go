package sizing

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// A save that fails is told of and tried again, but for what is no trouble: somebody else has written, or the QWorker is
// gone.
func TestSavesThatFail(t *testing.T) {
	qworkers := schema.GroupResource{Group: "quickube.com", Resource: "qworkers"}
	for name, tc := range map[string]struct {
		answer error
		err    error
		wake   time.Duration
		// written is true where the QWorker is known as it was written.
		written bool
	}{
		"it is written":             {written: true},
		"the API server fails":      {answer: errNo, err: errNo, wake: rightsize.RaiseInterval},
		"the QWorker is gone":       {answer: apierrors.NewNotFound(qworkers, "w"), wake: rightsize.RaiseInterval},
		"somebody else has written": {answer: apierrors.NewConflict(qworkers, "w", errNo)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sizedPod("p", "64Mi", killed))
			w.saving = func(int) error { return tc.answer }
			r := w.round(t, 0)
			if !errors.Is(r.err, tc.err) || (r.Written != nil) != tc.written {
				t.Errorf("it fails for %v, want %v; it is written: %t", r.err, tc.err, r.Written != nil)
			}
			w.expectRecheck(t, &r, tc.wake)
			w.saving = nil
			for range 2 {
				w.round(t, time.Second)
			}
			if want := map[bool]int{true: 1, false: 2}[tc.written]; len(w.saves) != want {
				t.Errorf("%d writes, want %d", len(w.saves), want)
			}
		})
	}
}

// What was saved is read once; what cannot be read begins anew.
func TestTheHistoryIsReadFromTheQWorker(t *testing.T) {
	w := newWorld(t, sizedPod("p", "64Mi", killed))
	w.round(t, 0)
	floor := w.memory.history.Floor("worker", noon)
	if floor == 0 {
		t.Fatal("the kill has taught nothing")
	}
	for name, tc := range map[string]struct {
		text string
		want float64
	}{"what was saved": {w.memory.saved, float64(floor)}, "what cannot be read": {"no history", 0}} {
		next := newWorld(t)
		next.fleet.QWorker.Annotations = map[string]string{annotationUsage: tc.text}
		r := next.round(t, 0)
		if got := float64(next.memory.history.Floor("worker", noon)); got != tc.want || r.err != nil {
			t.Errorf("%s: kills have taught %v, want %v; %v", name, got, tc.want, r.err)
		}
	}
}

// Whether the cluster can raise running pods is asked once a round. Nothing is raised where it cannot, or where nobody
// knows.
func TestWhereRunningPodsCannotBeRaised(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		reason string
		asks   int
		wake   time.Duration
	}{
		"the cluster cannot":         {func(w *world) { w.cannot = true }, reasonResizeUnsupported, 1, rightsize.RaiseInterval},
		"discovery fails":            {func(w *world) { w.discovery = errNo }, reasonSizingFailed, 1, rightsize.RaiseInterval},
		"raises are refused":         {func(w *world) { w.memory.resize.until = noon.Add(time.Minute) }, reasonResizeRefused, 0, time.Minute},
		"the pod's raise is refused": {func(w *world) { w.memory.refused["p"] = noon.Add(time.Minute) }, reasonResizeRefused, 0, time.Minute},
		"in mode Initial":            {func(w *world) { w.mode(v1alpha1.RightSizingInitial) }, reasonRightSized, 0, 0},
		"in mode Off":                {func(w *world) { w.mode(v1alpha1.RightSizingOff) }, reasonRecommended, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, runningPod("p", "64Mi"))
			w.recommended("128Mi")
			w.round(t, 0)
			tc.change(w)
			r := w.round(t, 0)
			r.Raise(t.Context(), w.fleet.Pods)
			if c := r.Condition(w.fleet.Pods); c.Reason != tc.reason {
				t.Errorf("%s: %s, want %s", c.Reason, c.Message, tc.reason)
			}
			if len(w.resized) > 0 || w.discovers != tc.asks {
				t.Errorf("resized %v, and asked %d times, want %d", w.resized, w.discovers, tc.asks)
			}
			w.expectRecheck(t, &r, tc.wake)
		})
	}
}

// Each answer to a raise counts as what it is.
func TestAnswersToRaises(t *testing.T) {
	refusal := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errNo)
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", nil)
	const resizes = "qscaler_qworker_resizes_total "
	for name, tc := range map[string]struct {
		resized           bool
		answer            error
		succeeded, failed float64
		notes             int
		refused, all      time.Time
	}{
		"it is raised":                   {resized: true, succeeded: 1, notes: 1},
		"it has changed or is gone":      {},
		"the API server forbids it":      {answer: refusal, failed: 1, refused: noon.Add(refusalLasts), all: noon.Add(refusalLasts)},
		"the API server finds it bad":    {answer: invalid, failed: 1, refused: noon.Add(refusalLasts), all: noon.Add(refusalLasts)},
		"the API server does not answer": {answer: errNo, failed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, runningPod("p", "64Mi"))
			w.recommended("128Mi")
			w.resizing = func(string) (bool, error) { return tc.resized, tc.answer }
			r := w.round(t, 0)
			r.Raise(t.Context(), w.fleet.Pods)
			told := series(t, w.registry)
			got := map[string]float64{"succeeded": told[resizes+"succeeded"], "failed": told[resizes+"failed"], "notes": float64(len(r.Notes))}
			if diff := cmp.Diff(map[string]float64{"succeeded": tc.succeeded, "failed": tc.failed, "notes": float64(tc.notes)}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !w.memory.refused["p"].Equal(tc.refused) || !w.memory.resize.until.Equal(tc.all) {
				t.Errorf("refused until %s, all until %s", w.memory.refused["p"], w.memory.resize.until)
			}
		})
	}
}

// Where right-sizing is wanted no more, what is held is released, once.
func TestWhatIsNotWantedIsForgottenOnce(t *testing.T) {
	w := newWorld(t, sizedPod("p", "64Mi"))
	w.recommended("128Mi")
	w.round(t, 0)
	w.fleet.QWorker.Spec.ScaleConfig.ActivateVPA = false
	for range 2 {
		if r := w.round(t, time.Second); r.Active() || r.Recommendations != nil || r.Condition(nil).Status != "" {
			t.Errorf("it goes on: %+v", r.Outcome)
		}
	}
	if w.asked != 1 || w.forgotten != 1 || w.memory.history != nil {
		t.Errorf("asked %d times and forgotten %d times, want once each", w.asked, w.forgotten)
	}
	if told := series(t, w.registry); len(told) > 0 {
		t.Errorf("metrics still tell of %v", told)
	}
}
