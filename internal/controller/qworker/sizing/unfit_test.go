package sizing

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// unplaced has had no node for so long.
func unplaced(since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available",
			LastTransitionTime: metav1.NewTime(noon.Add(-since)),
		}}
	}
}

// sized was made with other resources than its template has.
func sized(p *corev1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, annotationSized, "worker") }

// killed was ended out of memory, and waits to be started again.
func killed(p *corev1.Pod) {
	has := p.Spec.Containers[0].Resources
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "worker", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}, Resources: &has,
	}}
}

// A fleet whose pods find no node as they are recommended goes on growing with those of the podSpec.
func TestPodsThatNoNodeHasRoomFor(t *testing.T) {
	const unfit = "no node has room for it as it is recommended: 0/3 nodes are available"
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		mode v1alpha1.RightSizingMode
		want string
		// wake is in how long the pod is to be looked at again, 0 for never.
		wake time.Duration
	}{
		"larger than the template, for long enough": {sizedPod("p", "8Gi", sized, unplaced(placedWithin)), "", unfit, 0},
		"a moment before":                 {sizedPod("p", "8Gi", sized, unplaced(placedWithin-time.Second)), "", "", time.Second},
		"in mode Initial":                 {sizedPod("p", "8Gi", sized, unplaced(placedWithin)), v1alpha1.RightSizingInitial, unfit, 0},
		"in mode Off":                     {sizedPod("p", "8Gi", sized, unplaced(placedWithin)), v1alpha1.RightSizingOff, "", 0},
		"as its template":                 {sizedPod("p", "64Mi", sized, unplaced(time.Hour)), "", "", 0},
		"made larger by a LimitRange":     {sizedPod("p", "8Gi", unplaced(time.Hour)), "", "", 0},
		"starting on a node":              {sizedPod("p", "8Gi", sized), "", "", 0},
		"others are moved out of its way": {sizedPod("p", "8Gi", sized, unplaced(time.Hour), func(p *corev1.Pod) { p.Status.NominatedNodeName = "node" }), "", "", 0},
		"held back by a gate":             {sizedPod("p", "8Gi", sized, unplaced(time.Hour), func(p *corev1.Pod) { p.Status.Conditions[0].Reason = "SchedulingGated" }), "", "", 0},
		"it has a node since":             {sizedPod("p", "8Gi", sized, unplaced(time.Hour), func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionTrue }), "", "", 0},
		"since when is not told": {sizedPod("p", "8Gi", sized, unplaced(0), func(p *corev1.Pod) {
			p.Status.Conditions[0].LastTransitionTime, p.CreationTimestamp = metav1.Time{}, metav1.NewTime(noon.Add(-placedWithin))
		}), "", unfit, 0},
		"since when is not told, and it is new": {sizedPod("p", "8Gi", sized, unplaced(0), func(p *corev1.Pod) {
			p.Status.Conditions[0].LastTransitionTime, p.CreationTimestamp = metav1.Time{}, metav1.NewTime(noon)
		}), "", "", placedWithin},
		"another condition comes first": {sizedPod("p", "8Gi", sized, unplaced(placedWithin), func(p *corev1.Pod) {
			p.Status.Conditions = append([]corev1.PodCondition{{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionFalse}}, p.Status.Conditions...)
		}), "", unfit, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.pod)
			w.mode(tc.mode)
			w.recommended("8Gi")
			r := w.round(t, 0)
			if got := r.Unfit(notRunning(tc.pod)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			w.expectRecheck(t, &r, tc.wake)
		})
	}
}

// All that wait without a node are replaced, and people are told once.
func TestNewPodsShrinkForAWhile(t *testing.T) {
	stuck := []*corev1.Pod{sizedPod("a", "8Gi", sized, unplaced(placedWithin)), sizedPod("b", "8Gi", sized, unplaced(placedWithin))}
	w := newWorld(t, stuck...)
	w.recommended("8Gi")
	r := w.round(t, 0)
	for _, pod := range stuck {
		if r.Unfit(notRunning(pod)) == "" {
			t.Errorf("pod %s stays", pod.Name)
		}
	}
	want := []Note{{Pod: "a", Type: corev1.EventTypeWarning, Reason: reasonSizeUnschedulable, Text: "no node has room for pod a of the recommended size (0/3 nodes are available); " +
		"pods that wait are replaced, and new ones made as in the podSpec until 2026-03-01T12:10:00Z"}}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Errorf("the events, -want +got:\n%s", diff)
	}
	const message = "no node has room for a pod of the recommended size, new pods are made as in the podSpec, and it is tried again after 10 minutes: " +
		"0/3 nodes are available; use larger nodes or more of them, or set rightSizing.maxAllowed"
	if c := r.Condition(nil); c.Reason != reasonSizeUnschedulable || c.Message != message || c.Status != metav1.ConditionFalse {
		t.Errorf("the condition is %+v", c)
	}
	if want := noon.Add(refusalLasts); !r.RecheckAt.Equal(want) {
		t.Errorf("looks again at %s, want %s", r.RecheckAt, want)
	}
	for after, applies := range map[time.Duration]bool{refusalLasts - 1: false, refusalLasts: true} {
		w.fleet.Now = noon
		fresh := sizedPod("c", "64Mi")
		r := w.round(t, after)
		r.SizePod(fresh)
		if got := fresh.Spec.Containers[0].Resources.Requests.Memory().String() == "8Gi"; got != applies {
			t.Errorf("%s later, a new pod gets what is recommended: %t, want %t", after, got, applies)
		}
	}
}

// recommendCPU recommends a core more, and the memory as before.
func recommendCPU(w *world) {
	w.fleet.QWorker.Status.Recommendations[0].Requests["cpu"] = resource.MustParse("1")
}

// A worker that is killed out of memory and cannot be raised where it is would crash for ever.
func TestKilledPodsThatCannotBeRaised(t *testing.T) {
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	state := func(is corev1.ContainerState) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State = is }
	}
	for name, tc := range map[string]struct {
		mode   v1alpha1.RightSizingMode
		cannot bool
		change func(*corev1.Pod)
		world  func(*world)
		unfit  bool
	}{
		"in mode Initial":          {mode: v1alpha1.RightSizingInitial, unfit: true},
		"where the cluster cannot": {cannot: true, unfit: true},
		"where it has just ended":  {cannot: true, change: state(ended), unfit: true},
		"where a raise would restart it": {unfit: true, change: func(p *corev1.Pod) {
			p.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: "memory", RestartPolicy: corev1.RestartContainer}}
		}},
		"where the node is too small": {unfit: true, change: func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible}}
		}},
		"where its raise would change its CPU alone": {unfit: true, change: func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests["cpu"] = resource.MustParse("100m")
			p.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: "memory", RestartPolicy: corev1.RestartContainer}}
		}, world: recommendCPU},
		"where another container runs on a node that cannot": {unfit: true, change: func(p *corev1.Pod) {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "injected", State: runs})
		}},
		"not where it has all that its kills have taught, and more is recommended": {
			cannot: true, change: func(p *corev1.Pod) { p.Spec.Containers[0].Resources = memoryOf("164Mi") }, world: func(w *world) { w.recommended("1Gi") },
		},
		"where the API server has refused to raise it": {unfit: true, world: func(w *world) { w.memory.refused["p"] = noon.Add(time.Second) }},
		"where the API server refuses all raises":      {unfit: true, world: func(w *world) { w.memory.resize.until = noon.Add(time.Second) }},
		"not where a refusal has just ended": {world: func(w *world) {
			w.memory.refused["p"], w.memory.resize.until = noon, noon
		}},
		"not where it is raised in place":                 {},
		"not where nobody knows whether it could be":      {world: func(w *world) { w.discovery = errNo }},
		"not while it runs":                               {cannot: true, change: state(runs)},
		"not with the new size":                           {cannot: true, change: func(p *corev1.Pod) { p.Spec.Containers[0].Resources = memoryOf("164Mi") }},
		"not in mode Off":                                 {mode: v1alpha1.RightSizingOff},
		"not while new pods are made as in the podSpec":   {cannot: true, world: func(w *world) { w.memory.create.until = noon.Add(time.Second) }},
		"not where maxAllowed lets the next have no more": {cannot: true, world: maxAllowed("64Mi")},
		"not where it was ended by something else than memory": {cannot: true, change: func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated.Reason = "Error"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := sizedPod("p", "64Mi", killed)
			w := newWorld(t, pod)
			w.mode(tc.mode)
			w.cannot = tc.cannot
			w.round(t, 0)
			if tc.change != nil {
				tc.change(pod)
			}
			if tc.world != nil {
				tc.world(w)
			}
			r := w.round(t, 0)
			want := ""
			if tc.unfit {
				want = "it was killed out of memory and cannot be raised; the next has more"
			}
			if got := r.Unfit(notRunning(pod)); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// What is not known of a pod's revision is no reason to replace the pod.
func TestAPodOfAnUnknownRevisionIsNotUnfit(t *testing.T) {
	for name, pod := range map[string]*corev1.Pod{"unplaced": sizedPod("p", "8Gi", sized, unplaced(time.Hour)), "killed": sizedPod("p", "64Mi", killed)} {
		w := newWorld(t, pod)
		w.cannot = true
		r := w.round(t, 0)
		if got := r.Unfit(NotRunning{Pod: pod, Worker: "worker"}); got != "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}
