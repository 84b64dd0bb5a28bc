package sizing

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// Nobody is told of a raise that does not come.
func TestKillsAreToldOfAsTheyAre(t *testing.T) {
	initial, off := v1alpha1.RightSizingSpec{Mode: v1alpha1.RightSizingInitial}, v1alpha1.RightSizingSpec{Mode: v1alpha1.RightSizingOff}
	for _, tc := range []struct {
		result rightsize.KillResult
		spec   v1alpha1.RightSizingSpec
		want   string
	}{
		{rightsize.Raised, v1alpha1.RightSizingSpec{}, "its memory is raised"},
		{rightsize.Raised, initial, "new pods get more memory"},
		{rightsize.Raised, off, "rightSizing.mode is Off: more is recommended at most, and nothing is changed"},
		{rightsize.Raised, v1alpha1.RightSizingSpec{ControlledResources: []corev1.ResourceName{"cpu"}}, "rightSizing.controlledResources has no memory, so it stays as it is"},
		{rightsize.Answered, v1alpha1.RightSizingSpec{}, "its memory was raised already"},
		{rightsize.Answered, initial, "its memory was raised already"},
		{rightsize.Capped, v1alpha1.RightSizingSpec{}, "its memory was raised several times and is not raised further for now"},
		{rightsize.Outgrown, v1alpha1.RightSizingSpec{}, "it had several times what the podSpec requests, and is not raised further"},
		{rightsize.AtMaximum, v1alpha1.RightSizingSpec{}, "it had all that rightSizing.maxAllowed allows"},
		{rightsize.AtLimit, v1alpha1.RightSizingSpec{}, "it was at its limit, which rightSizing.controlledValues RequestsOnly leaves as it is"},
	} {
		policy := rightsize.PolicyOf(&v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{RightSizing: &tc.spec}})
		want := Note{Pod: "p", Type: corev1.EventTypeWarning, Reason: "OutOfMemoryKill", Text: "container worker of pod p was killed out of memory; " + tc.want}
		if diff := cmp.Diff(want, killNote(rightsize.Kill{Pod: "p", Container: "worker"}, tc.result, policy)); diff != "" {
			t.Errorf("%s %+v, -want +got:\n%s", tc.result, tc.spec, diff)
		}
	}
}

func TestRecommendationsAreToldOf(t *testing.T) {
	cpu, memory := resource.MustParse("100m"), resource.MustParse("1Gi")
	for name, tc := range map[string]struct {
		requests corev1.ResourceList
		pods     []*corev1.Pod
		want     Note
	}{
		"both resources, of a fleet":     {corev1.ResourceList{"cpu": cpu, "memory": memory}, []*corev1.Pod{sizedPod("a", "64Mi"), sizedPod("b", "64Mi")}, Note{Pod: "a", Text: "cpu 100m, memory 1Gi"}},
		"memory alone, of one pod":       {corev1.ResourceList{"memory": memory}, []*corev1.Pod{sizedPod("a", "64Mi")}, Note{Pod: "a", Text: "memory 1Gi"}},
		"CPU alone, and there is no pod": {corev1.ResourceList{"cpu": cpu}, nil, Note{Text: "cpu 100m"}},
	} {
		tc.want.Type, tc.want.Reason, tc.want.Text = corev1.EventTypeNormal, "Recommended", "container worker: "+tc.want.Text+" (why)"
		got := recommendationNote(v1alpha1.ContainerRecommendation{Name: "worker", Requests: tc.requests, Message: "why"}, tc.pods)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", name, diff)
		}
	}
}

func TestResizesAreToldOf(t *testing.T) {
	for words, pods := range map[string][]string{"(1 pod: a)": {"a"}, "(5 pods: a, b, c and 2 more)": {"a", "b", "c", "d", "e"}} {
		want := Note{Pod: "a", Type: corev1.EventTypeNormal, Reason: "Resized", Text: "raised to what is recommended, without a restart " + words}
		if diff := cmp.Diff(want, resizesNote(pods)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// Where more is to be told than people read, the first is.
func TestARoundTellsOfTenThingsAtMost(t *testing.T) {
	for kills, want := range map[int]int{9: 10, 10: 10, 11: 10} {
		var pods []*corev1.Pod
		for i := range kills {
			pods = append(pods, sizedPod(fmt.Sprintf("p%02d", i), "64Mi", killed))
		}
		r := newWorld(t, pods...).round(t, 0) // and what is recommended, which comes last
		if len(r.Notes) != want || r.Notes[8].Pod != "p08" || (r.Notes[9].Reason == "Recommended") != (kills == 9) {
			t.Errorf("%d kills: %v, want %d notes, of what comes first", kills, r.Notes, want)
		}
	}
}
