package sizing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/podmetrics"
)

func resourcesOf(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}
}

// killedContainer gives a pod another container, which was killed out of memory.
func killedContainer(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		has := memoryOf("64Mi")
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Resources: has})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}, RestartCount: 1,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled"}}, Resources: &has,
		})
	}
}

// All that one round comes to, of two pods with two containers each: both are measured, and the second of one was killed. What is of a pod that is gone,
// or of a container that is not in the podSpec, is nothing.
func TestOutcome(t *testing.T) {
	w := newWorld(t, sizedPod("a", "64Mi"), sizedPod("b", "64Mi", killedContainer("injected"), killedContainer("side")))
	w.withSide()
	w.fleet.QWorker.Status.MaxContainerResourcesUsage = []v1alpha1.ContainerResourcesUsage{{Name: "worker", Usage: resourcesOf("1", "50Mi")}}
	w.answer = podmetrics.Snapshot{ReadAt: noon, Pods: map[string]podmetrics.Pod{
		"a":    {Time: noon, Containers: []podmetrics.Container{use("worker", "250m", "100Mi"), use("side", "0", "10Mi")}},
		"gone": {Time: noon, Containers: []podmetrics.Container{use("worker", "8", "8Gi")}},
		"b":    {Time: noon, Containers: []podmetrics.Container{use("worker", "300m", "90Mi"), use("side", "0", "20Mi"), use("injected", "4", "4Gi")}},
	}}
	const (
		ofWorker = "cpu: 90th percentile of the usage and 15 %; memory: 90th percentile of the usage and 15 %"
		ofSide   = "cpu: 90th percentile of the usage and 15 %; memory: raised after out-of-memory kills"
	)
	given := w.fleet.QWorker.DeepCopy()
	r := w.sizer.Recommend(t.Context(), &w.memory, w.fleet)
	want := Outcome{
		Recommendations: []v1alpha1.ContainerRecommendation{
			{Name: "worker", Requests: resourcesOf("352m", "121Mi"), Reason: "Usage", Message: ofWorker, Since: metav1.NewTime(noon), Samples: 2},
			{Name: "side", Requests: resourcesOf("12m", "164Mi"), Reason: "OutOfMemory", Message: ofSide, Since: metav1.NewTime(noon), Samples: 2},
		},
		MostUsed: []v1alpha1.ContainerResourcesUsage{{Name: "worker", Usage: resourcesOf("1", "100Mi")}, {Name: "side", Usage: resourcesOf("0", "20Mi")}},
		Written:  &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "w", ResourceVersion: "8"}},
		Notes: []Note{
			{Pod: "b", Type: corev1.EventTypeWarning, Reason: "OutOfMemoryKill", Text: "container side of pod b was killed out of memory; its memory is raised"},
			{Pod: "a", Type: corev1.EventTypeNormal, Reason: "Recommended", Text: "container worker: cpu 352m, memory 121Mi (" + ofWorker + ")"},
			{Pod: "a", Type: corev1.EventTypeNormal, Reason: "Recommended", Text: "container side: cpu 12m, memory 164Mi (" + ofSide + ")"},
		},
	}
	if diff := cmp.Diff(want, r.Outcome); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(given, w.fleet.QWorker); diff != "" {
		t.Errorf("the QWorker that it was given has changed, -before +after:\n%s", diff)
	}
	patch := `{"metadata":{"annotations":{"` + annotationUsage + `":` + quoted(w.memory.history.Encode()) + `},"resourceVersion":"7","uid":"uid"}}`
	if diff := cmp.Diff([]string{patch}, w.saves); diff != "" {
		t.Errorf("the patches, -want +got:\n%s", diff)
	}
	const requests = "qscaler_qworker_recommended_requests "
	metrics := map[string]float64{
		requests + "worker cpu": 0.352, requests + "worker memory": 121 << 20, requests + "side cpu": 0.012, requests + "side memory": 164 << 20,
		"qscaler_qworker_out_of_memory_kills_total side": 1,
	}
	if diff := cmp.Diff(metrics, series(t, w.registry)); diff != "" {
		t.Errorf("the metrics, -want +got:\n%s", diff)
	}
	w.fleet.QWorker.Status.Recommendations, w.fleet.QWorker.Status.MaxContainerResourcesUsage = r.Recommendations, r.MostUsed
	again := w.sizer.Recommend(t.Context(), &w.memory, w.fleet)
	if diff := cmp.Diff(Outcome{Recommendations: want.Recommendations, MostUsed: want.MostUsed}, again.Outcome); diff != "" {
		t.Errorf("another look at the same, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(metrics, series(t, w.registry)); diff != "" {
		t.Errorf("the metrics after another look, -want +got:\n%s", diff)
	}
}

// What the status says stands where a round right-sizes nothing, but for what is recommended where that is not wanted.
func TestOutcomeOfNothing(t *testing.T) {
	most := []v1alpha1.ContainerResourcesUsage{{Name: "worker", Usage: resourcesOf("1", "50Mi")}}
	for name, tc := range map[string]struct {
		change func(*world)
		want   Outcome
		// forgotten is how often what is held is released.
		forgotten int
	}{
		"right-sizing is not wanted": {func(w *world) { w.fleet.QWorker.Spec.ScaleConfig.ActivateVPA = false }, Outcome{MostUsed: most}, 1},
		"the QWorker is deleted":     {func(w *world) { w.fleet.QWorker.DeletionTimestamp = &metav1.Time{Time: noon} }, Outcome{MostUsed: most}, 1},
		"there is no revision": {
			func(w *world) { w.fleet.Newest = nil },
			Outcome{MostUsed: most, Recommendations: []v1alpha1.ContainerRecommendation{{Name: "worker", Requests: memoryOf("128Mi").Requests, Reason: "Usage", Samples: 1}}}, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sizedPod("p", "64Mi", killed))
			w.recommended("128Mi")
			w.fleet.QWorker.Status.MaxContainerResourcesUsage = most
			tc.change(w)
			r := w.round(t, 0)
			if diff := cmp.Diff(tc.want, r.Outcome); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if w.asked != 0 || w.forgotten != tc.forgotten || len(w.saves) > 0 {
				t.Errorf("asked %d times, forgotten %d times, want %d; saved %v", w.asked, w.forgotten, tc.forgotten, w.saves)
			}
		})
	}
}

// A round is looked at again when the first of all that it waits for is due.
func TestTheNextLookIsTheFirstThatIsDue(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for name, tc := range map[string]struct {
		due  []time.Time
		want time.Time
	}{
		"nothing is":                 {nil, time.Time{}},
		"never and later":            {[]time.Time{{}, at(5), {}}, at(5)},
		"the first is named first":   {[]time.Time{at(5), at(7)}, at(5)},
		"the first is named last":    {[]time.Time{at(7), at(5)}, at(5)},
		"what is past is dealt with": {[]time.Time{at(-1), at(5), at(-2)}, at(5)},
		"and so is what is due now":  {[]time.Time{at(0)}, time.Time{}},
	} {
		r := Round{fleet: Fleet{Now: noon}}
		for _, t := range tc.due {
			r.recheckAt(t)
		}
		if !r.RecheckAt.Equal(tc.want) {
			t.Errorf("%s: %s, want %s", name, r.RecheckAt, tc.want)
		}
	}
}
