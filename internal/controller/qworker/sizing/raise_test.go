package sizing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/internal/rightsize"
)

// A recommendation that is wrong is to be seen before it has reached the whole fleet; who was killed does not wait.
func TestRunningPodsAreRaisedAFewAtATime(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 100 {
		pods = append(pods, runningPod(fmt.Sprintf("p%02d", i), "64Mi"))
	}
	w := newWorld(t, pods...)
	w.recommended("128Mi")
	w.fleet.QWorker.Spec.RightSizing = allowAtMost("128Mi")
	kill := func(i int) {
		pods[i].Status.ContainerStatuses[0].LastTerminationState = corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.NewTime(w.fleet.Now)},
		}
	}
	kill(99)
	for _, step := range []struct {
		after time.Duration
		kill  int // -1 for nobody
		want  string
	}{
		{0, -1, "p00 p01 p02 p03 p04 p05 p06 p07 p08 p99"},
		{5 * time.Second, -1, ""},
		{time.Second, 50, "p50"},
		{9 * time.Second, -1, ""},
		{time.Second, -1, "p09 p10 p11 p12 p13 p14 p15 p16 p17 p18"},
	} {
		if step.kill >= 0 {
			kill(step.kill)
		}
		r := w.round(t, step.after)
		r.Raise(t.Context(), pods)
		raised := slices.Sorted(slices.Values(w.taken()))
		if diff := cmp.Diff(step.want, strings.Join(raised, " ")); diff != "" {
			t.Errorf("raised after another %s, -want +got:\n%s", step.after, diff)
		}
		if next := w.memory.raised.Add(rightsize.RaiseInterval); r.RecheckAt.IsZero() || r.RecheckAt.After(next) {
			t.Errorf("looks again at %s, want it by %s", r.RecheckAt, next)
		}
		for _, pod := range pods {
			if slices.Contains(raised, pod.Name) {
				pod.Spec.Containers[0].Resources = memoryOf("128Mi")
			}
		}
	}
}

func pending(reason string) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason}
}

// At most so many resizes are under way at once: a tenth of a large fleet is many.
func TestResizesAtOnceAreBounded(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		var pods []*corev1.Pod
		for i := range 10 * (parallelResizes + 2) {
			pods = append(pods, runningPod(fmt.Sprintf("p%04d", i), "64Mi"))
		}
		w := newWorld(t, pods...)
		w.recommended("128Mi")
		var now, most atomic.Int32
		w.resizing = func(string) (bool, error) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-time.After(time.Second) // of the bubble: all that may begin have begun
			now.Add(-1)
			return true, nil
		}
		r := w.round(t, 0)
		r.Raise(t.Context(), pods)
		if got := most.Load(); got != parallelResizes || len(w.resized) != parallelResizes+2 {
			t.Errorf("%d of %d resizes were under way at once, want %d", got, len(w.resized), parallelResizes)
		}
	})
}

// What has failed is told until the next round of raises, and no longer where that one succeeds.
func TestAFailedRaiseIsToldUntilTheNext(t *testing.T) {
	w := newWorld(t, runningPod("p", "64Mi"))
	w.recommended("128Mi")
	answers := []error{errNo, nil, nil}
	w.resizing = func(string) (bool, error) {
		err := answers[0]
		answers = answers[1:]
		return err == nil, err
	}
	for _, step := range []struct {
		name   string
		after  time.Duration
		reason string
		// recheck is in how long; left is how many answers are left.
		recheck time.Duration
		left    int
	}{
		{"it fails", 0, reasonSizingFailed, rightsize.RaiseInterval, 2},
		{"a moment before the next round", rightsize.RaiseInterval - 1, reasonSizingFailed, 1, 2},
		{"the next round", 1, reasonRaising, rightsize.RaiseInterval, 1},
		{"after it", time.Second, reasonRaising, rightsize.RaiseInterval - time.Second, 1},
	} {
		r := w.round(t, step.after)
		r.Raise(t.Context(), w.fleet.Pods)
		if c := r.Condition(w.fleet.Pods); c.Reason != step.reason || len(answers) != step.left {
			t.Errorf("%s: %s: %s, want %s; %d answers are left, want %d", step.name, c.Reason, c.Message, step.reason, len(answers), step.left)
		}
		w.expectRecheck(t, &r, step.recheck)
	}
}

// Where all raises were refused, others are not tried for a while. They are not about to be raised, also once those that
// were refused are gone.
func TestWhoIsNotTriedAfterARefusalIsRefused(t *testing.T) {
	var pods []*corev1.Pod
	for i := range rightsize.Round(0) + 1 {
		pods = append(pods, runningPod(fmt.Sprintf("p%d", i), "64Mi"))
	}
	w := newWorld(t, pods...)
	w.recommended("128Mi")
	w.resizing = func(pod string) (bool, error) {
		return false, apierrors.NewForbidden(corev1.Resource("pods"), pod, errNo)
	}
	last := len(pods) - 1
	for _, step := range []struct {
		name    string
		after   time.Duration
		pods    []*corev1.Pod
		asked   int
		refused string
		recheck time.Duration
	}{
		{"one is not in the first round", 0, pods, last, "p0, p1, p2 and 2 more", rightsize.RaiseInterval},
		{"it stands for the others", rightsize.RaiseInterval, pods, 0, "p0, p1, p2 and 3 more", refusalLasts - rightsize.RaiseInterval},
		{"those that were refused are gone", time.Second, pods[last:], 0, pods[last].Name, refusalLasts - rightsize.RaiseInterval - time.Second},
		{"it is tried in the end", refusalLasts, pods[last:], 1, pods[last].Name, rightsize.RaiseInterval},
	} {
		w.fleet.Pods = step.pods
		r := w.round(t, step.after)
		r.Raise(t.Context(), step.pods)
		c := r.Condition(step.pods)
		if asked := len(w.taken()); asked != step.asked {
			t.Errorf("%s: %d resizes are asked for, want %d", step.name, asked, step.asked)
		}
		if c.Reason != reasonResizeRefused || !strings.Contains(c.Message, ": "+step.refused+": ") {
			t.Errorf("%s: %s: %s, want %s of %s", step.name, c.Reason, c.Message, reasonResizeRefused, step.refused)
		}
		w.expectRecheck(t, &r, step.recheck)
	}
}

// What is remembered of single pods goes with them, or with its time.
func TestWhatIsRememberedOfPodsIsForgotten(t *testing.T) {
	tooSmall := func(name string) *corev1.Pod { return runningPod(name, "128Mi", pending(corev1.PodReasonInfeasible)) }
	w := newWorld(t, tooSmall("a"), tooSmall("b"), tooSmall("c"))
	w.recommended("128Mi")
	step := func() {
		r := w.round(t, 0)
		r.Raise(t.Context(), w.fleet.Pods)
	}
	step()
	if got := slices.Sorted(maps.Keys(w.memory.tooMuch)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("too much was asked for %v, want all", got)
	}
	w.fleet.Pods = slices.Delete(w.fleet.Pods, 1, 2)
	w.memory.refused = map[string]time.Time{"past": noon, "not yet": noon.Add(1)}
	step()
	if got := slices.Sorted(maps.Keys(w.memory.tooMuch)); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("too much was asked for %v, want those that are there", got)
	}
	if diff := cmp.Diff(map[string]time.Time{"not yet": noon.Add(1)}, w.memory.refused); diff != "" {
		t.Errorf("refused are, -want +got:\n%s", diff)
	}
	w.fleet.QWorker.Generation++
	step()
	if len(w.memory.refused) > 0 {
		t.Errorf("a spec that has changed has another try, but refused are %v", w.memory.refused)
	}
}
