package sizing

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/rightsize"
)

// rightSizing is the condition RightSizing.
func rightSizing(status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionRightSizing, Status: status, Reason: reason, Message: message}
}

// troubled has a history with pods that were killed so long ago, and not raised.
func troubled(kills ...rightsize.Trouble) func(*world) {
	return func(w *world) {
		text := ""
		for _, k := range kills {
			text += fmt.Sprintf(`,{"pod":%q,"result":%q,"at":%d}`, k.Pod, k.Result, k.At.Unix())
		}
		w.fleet.QWorker.Annotations = map[string]string{annotationUsage: `{"v":1,"troubles":[` + text[1:] + `]}`}
	}
}

// refusedBefore is a QWorker of generation 3 whose status tells of a refusal.
func refusedBefore(reason string, generation int64) func(*world) {
	return func(w *world) {
		w.fleet.QWorker.Generation = 3
		c := rightSizing(metav1.ConditionFalse, reason, "as before")
		c.ObservedGeneration = generation
		w.fleet.QWorker.Status.Conditions = []metav1.Condition{c}
	}
}

// withoutResize runs on a node that does not tell what its containers have: the kubelet is too old.
func withoutResize(name string) *corev1.Pod {
	pod := runningPod(name, "64Mi")
	pod.Status.ContainerStatuses[0].Resources = nil
	return pod
}

func inProgress(name string) *corev1.Pod {
	return runningPod(name, "128Mi", corev1.PodCondition{Type: corev1.PodResizeInProgress, Status: corev1.ConditionTrue})
}

// Each reason is told as a whole, with all the pods that it is about, by a process that has just started: nothing that a
// person must know of hangs on this one. The worker of the podSpec has 64 MiB, and 128 MiB are recommended.
func TestConditions(t *testing.T) {
	const (
		yes, no = metav1.ConditionTrue, metav1.ConditionFalse
		fits    = "new pods get what status.recommendations says, and running pods have no less"
		outside = "new pods get what is recommended; these pods keep their size, because the cluster or their nodes cannot resize running pods (Kubernetes 1.33 and newer can): "
		capped  = "these pods were killed out of memory although their memory was raised several times; QScaler does not raise it further for now, because a task may need more than any worker can have: "
	)
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "a", errNo)
	at := func(ago time.Duration) time.Time { return noon.Add(-ago) }
	for name, tc := range map[string]struct {
		pods   []*corev1.Pod
		change func(*world)
		want   metav1.Condition
		// recheck is in how long time alone may change something, 0 for never.
		recheck time.Duration
	}{
		"right-sizing is not wanted": {
			change: func(w *world) { w.fleet.QWorker.Spec.ScaleConfig.ActivateVPA = false },
			want:   metav1.Condition{Type: v1alpha1.ConditionRightSizing},
		},
		"there is no revision": {
			change: func(w *world) { w.fleet.Newest = nil },
			want:   metav1.Condition{Type: v1alpha1.ConditionRightSizing},
		},
		"new pods were refused, and the spec is the same": {
			change: refusedBefore(reasonSizeRefused, 3), want: rightSizing(no, reasonSizeRefused, "as before"), recheck: refusalLasts,
		},
		"no node had room for new pods, and the spec is the same": {
			change: refusedBefore(reasonSizeUnschedulable, 3), want: rightSizing(no, reasonSizeUnschedulable, "as before"), recheck: refusalLasts,
		},
		"new pods were refused, and the spec has changed since": {
			change: refusedBefore(reasonSizeRefused, 2), want: rightSizing(yes, reasonRightSized, fits),
		},
		"something else was told before": {
			change: refusedBefore(reasonResizeRefused, 3), want: rightSizing(yes, reasonRightSized, fits),
		},
		"one pod was killed too often": {
			change: troubled(rightsize.Trouble{Pod: "a", Result: rightsize.Capped, At: at(time.Minute)}),
			want:   rightSizing(no, reasonOutOfMemory, capped+"a"), recheck: 59 * time.Minute,
		},
		"pods were killed at each bound": {
			change: troubled(
				rightsize.Trouble{Pod: "a", Result: rightsize.Capped, At: at(20 * time.Minute)},
				rightsize.Trouble{Pod: "b", Result: rightsize.Outgrown, At: at(30 * time.Minute)},
				rightsize.Trouble{Pod: "c", Result: rightsize.AtMaximum, At: at(50 * time.Minute)},
				rightsize.Trouble{Pod: "d", Result: rightsize.AtLimit, At: at(40 * time.Minute)},
				rightsize.Trouble{Pod: "e", Result: rightsize.Capped, At: at(10 * time.Minute)},
			),
			want: rightSizing(no, reasonOutOfMemory, capped+"a, e; "+
				"these pods were killed out of memory with several times the memory that the podSpec requests and the other workers use; QScaler does not raise it further; look at their tasks, or set rightSizing.maxAllowed to what a worker may have: b; "+
				"these pods were killed out of memory with all that rightSizing.maxAllowed allows; look at their tasks, or raise it: c; "+
				"these pods were killed out of memory at a limit that rightSizing.controlledValues RequestsOnly leaves as it is; raise the limit in the podSpec, or set RequestsAndLimits: d"),
			recheck: 10 * time.Minute,
		},
		"a pod was killed too often, an hour ago": {
			change: troubled(rightsize.Trouble{Pod: "a", Result: rightsize.Capped, At: at(time.Hour)}),
			want:   rightSizing(yes, reasonRightSized, fits),
		},
		"a pod was killed too often, and memory is not right-sized": {
			change: func(w *world) {
				troubled(rightsize.Trouble{Pod: "a", Result: rightsize.Capped, At: noon})(w)
				w.fleet.QWorker.Spec.RightSizing = &v1alpha1.RightSizingSpec{ControlledResources: []corev1.ResourceName{"cpu"}}
				w.fleet.QWorker.Status.Recommendations[0].Requests = corev1.ResourceList{"cpu": resource.MustParse("1")}
			},
			want: rightSizing(yes, reasonRightSized, fits),
		},
		"the API server refuses all raises": {
			pods:   []*corev1.Pod{runningPod("a", "64Mi"), runningPod("b", "64Mi")},
			change: func(w *world) { w.resizing = func(string) (bool, error) { return false, forbidden } },
			want: rightSizing(no, reasonResizeRefused, `the API server refuses to raise running pods, so they keep their size: a, b: pods "a" is forbidden: no; `+
				"set rightSizing.maxAllowed, or raise the LimitRange or the ResourceQuota if the message names one"),
			recheck: rightsize.RaiseInterval,
		},
		"the nodes are too small": {
			pods: []*corev1.Pod{runningPod("a", "128Mi", pending(corev1.PodReasonInfeasible)), runningPod("b", "128Mi", pending(corev1.PodReasonInfeasible))},
			want: rightSizing(no, reasonResizeInfeasible, "the nodes of these pods can never give all that is recommended, so the pods get what the nodes can give: a, b; "+
				"set rightSizing.maxAllowed, or use larger nodes"),
		},
		"the podSpec bounds the pod as a whole": {
			change: func(w *world) { w.fleet.Newest.Resources = &corev1.ResourceRequirements{} },
			want:   rightSizing(no, reasonNotApplicable, "the recommendation cannot be applied: podSpec.resources bounds the pod as a whole; remove it to have its containers right-sized"),
		},
		"the bounds cross": {
			change: func(w *world) {
				one, two := resource.MustParse("1"), resource.MustParse("2")
				w.fleet.QWorker.Spec.RightSizing = &v1alpha1.RightSizingSpec{
					MinAllowed: map[string]v1alpha1.AllowedResources{"worker": {CPU: &two}}, MaxAllowed: map[string]v1alpha1.AllowedResources{"*": {CPU: &one}},
				}
			},
			want: rightSizing(no, reasonBoundsCross, `rightSizing.minAllowed of container "worker" has 2 of cpu, which is more than the 1 of rightSizing.maxAllowed; maxAllowed counts; lower minAllowed or raise maxAllowed`),
		},
		"the metrics API fails": {
			change: func(w *world) { w.answer = podmetrics.Snapshot{Err: errNo} },
			want: rightSizing(no, reasonMetricsUnavailable, "the metrics API does not answer; see kubectl get apiservice v1beta1.metrics.k8s.io: no; "+
				"workers are scaled as before, and out-of-memory kills still raise their memory"),
		},
		"nobody knows what the cluster can do": {
			pods: []*corev1.Pod{runningPod("a", "64Mi")}, change: func(w *world) { w.discovery = errNo },
			want: rightSizing(no, reasonSizingFailed, "no"), recheck: rightsize.RaiseInterval,
		},
		"the API server does not answer to a raise": {
			pods:   []*corev1.Pod{runningPod("a", "64Mi"), runningPod("b", "64Mi")},
			change: func(w *world) { w.resizing = func(pod string) (bool, error) { return pod == "b", failsFor(pod, "a") } },
			want:   rightSizing(no, reasonSizingFailed, "no"), recheck: rightsize.RaiseInterval,
		},
		"nothing was measured": {
			pods: []*corev1.Pod{runningPod("a", "64Mi")}, change: func(w *world) { w.fleet.QWorker.Status.Recommendations = nil },
			want: rightSizing(metav1.ConditionUnknown, reasonWaitingForUsage, "the metrics API has no usage of a worker yet"),
		},
		"nothing was measured of workers that end when asked": {
			pods: []*corev1.Pod{runningPod("a", "64Mi")}, change: func(w *world) {
				w.fleet.QWorker.Status.Recommendations = nil
				w.fleet.QWorker.Spec.Drain = &v1alpha1.DrainSpec{}
			},
			want: rightSizing(metav1.ConditionUnknown, reasonWaitingForUsage, "the metrics API has no usage of a worker yet"),
		},
		"nothing was measured of workers that end after their task": {
			pods: []*corev1.Pod{runningPod("a", "64Mi")}, change: func(w *world) {
				w.fleet.QWorker.Status.Recommendations = nil
				w.fleet.QWorker.Spec.Drain = &v1alpha1.DrainSpec{EndsAfterTask: true}
			},
			want: rightSizing(metav1.ConditionUnknown, reasonWaitingForUsage, "the metrics API has no usage of a worker yet; "+
				"one that ends sooner than the metrics server looks, every 15 s by default, never has any; out-of-memory kills count all the same"),
		},
		"in mode Off": {
			pods: []*corev1.Pod{runningPod("a", "64Mi")}, change: func(w *world) { w.mode(v1alpha1.RightSizingOff) },
			want: rightSizing(yes, reasonRecommended, "rightSizing.mode is Off: status.recommendations says what to request, and no pod is changed"),
		},
		"the cluster cannot resize, and the node of one cannot either": {
			pods:   []*corev1.Pod{runningPod("a", "64Mi"), withoutResize("b"), runningPod("c", "64Mi")},
			change: func(w *world) { w.cannot = true },
			want:   rightSizing(yes, reasonResizeUnsupported, outside+"b, a, c"), recheck: rightsize.RaiseInterval,
		},
		"the nodes cannot resize": {
			pods: []*corev1.Pod{withoutResize("a"), withoutResize("b")},
			want: rightSizing(yes, reasonResizeUnsupported, outside+"a, b"),
		},
		"the nodes have no room": {
			pods: []*corev1.Pod{runningPod("a", "128Mi", pending(corev1.PodReasonDeferred)), runningPod("b", "128Mi", pending(corev1.PodReasonDeferred))},
			want: rightSizing(yes, reasonResizeDeferred, "these pods get more when their nodes have room: a, b"),
		},
		"some are raised, and some are yet to be": {
			pods: []*corev1.Pod{runningPod("a", "64Mi"), inProgress("b"), inProgress("c")},
			want: rightSizing(yes, reasonRaising, "QScaler raises running pods a few at a time; these are not raised yet: b, c, a"), recheck: rightsize.RaiseInterval,
		},
		"in mode Initial": {
			pods: []*corev1.Pod{runningPod("a", "64Mi")}, change: func(w *world) { w.mode(v1alpha1.RightSizingInitial) },
			want: rightSizing(yes, reasonRightSized, "new pods get what status.recommendations says"),
		},
		"all have what is recommended": {pods: []*corev1.Pod{runningPod("a", "128Mi")}, want: rightSizing(yes, reasonRightSized, fits)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.pods...)
			w.recommended("128Mi")
			if tc.change != nil {
				tc.change(w)
			}
			r := w.round(t, 0)
			r.Raise(t.Context(), w.fleet.Pods)
			if diff := cmp.Diff(tc.want, r.Condition(w.fleet.Pods)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			w.expectRecheck(t, &r, tc.recheck)
		})
	}
}

// What a person must look at is told before what goes on by itself: where everything holds at once, and one after the
// other is put right, the reasons come in this order.
func TestWhatIsTroubleIsToldFirst(t *testing.T) {
	w := newWorld(t, inProgress("a"), runningPod("b", "128Mi", pending(corev1.PodReasonDeferred)))
	w.recommended("128Mi")
	troubled(rightsize.Trouble{Pod: "a", Result: rightsize.Capped, At: noon})(w)
	r := w.round(t, 0)
	w.memory.create = newRefusal(reasonSizeRefused, "no", noon)
	r.refused, r.infeasible, r.blocked, r.usage.Err, r.err, r.unable = []string{"a"}, []string{"a"}, "no", errNo, errNo, []string{"a"}
	standing := r.Recommendations
	r.Recommendations = nil
	staying := w.fleet.Pods
	mode := func(m v1alpha1.RightSizingMode) {
		w.mode(m)
		r.policy = rightsize.PolicyOf(w.fleet.QWorker)
	}
	mode(v1alpha1.RightSizingOff)
	var told []string
	for _, right := range []func(){
		func() { w.memory.create = refusal{} },
		func() { w.memory.history = rightsize.NewHistory() },
		func() { r.refused = nil },
		func() { r.infeasible = nil },
		func() { r.blocked = "" },
		func() { r.usage.Err = nil },
		func() { r.err = nil },
		func() { r.Recommendations = standing },
		func() { mode(v1alpha1.RightSizingInPlace) },
		func() { r.unable = nil },
		func() { staying = staying[:1] },
		func() { staying = nil },
		func() {},
	} {
		told = append(told, r.Condition(staying).Reason)
		right()
	}
	want := []string{
		reasonSizeRefused, reasonOutOfMemory, reasonResizeRefused, reasonResizeInfeasible, reasonNotApplicable, reasonMetricsUnavailable, reasonSizingFailed,
		reasonWaitingForUsage, reasonRecommended, reasonResizeUnsupported, reasonResizeDeferred, reasonRaising, reasonRightSized,
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
