package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// podBuilder makes a pod in a line: makePod().running().granted("ScaleDown", 0).
type podBuilder struct{ *corev1.Pod }

func makePod() podBuilder {
	return podBuilder{&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "a", Labels: map[string]string{contract.LabelPodSpecHash: "r1"},
			Annotations: map[string]string{}, CreationTimestamp: metav1.NewTime(t0),
		},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyOnFailure,
			Containers:    []corev1.Container{{Name: "proxy"}, {Name: "worker"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}}
}

func (b podBuilder) policy(p corev1.RestartPolicy) podBuilder { b.Spec.RestartPolicy = p; return b }

func (b podBuilder) container(name string, state, last corev1.ContainerState, restarts int32) podBuilder {
	b.Status.ContainerStatuses = append(b.Status.ContainerStatuses, corev1.ContainerStatus{
		Name: name, State: state, LastTerminationState: last, RestartCount: restarts,
	})
	return b
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func exited(code int32, ran time.Duration) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, StartedAt: metav1.NewTime(t0), FinishedAt: metav1.NewTime(t0.Add(ran)),
	}}
}

func (b podBuilder) running(restarts int32, last corev1.ContainerState) podBuilder {
	b.Status.Phase = corev1.PodRunning
	b.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	return b.container("worker", running(), last, restarts)
}

func (b podBuilder) ended(phase corev1.PodPhase, state corev1.ContainerState) podBuilder {
	b.Status.Phase = phase
	return b.container("worker", state, corev1.ContainerState{}, 0)
}

func (b podBuilder) granted(since string) podBuilder {
	b.Annotations[contract.AnnotationDrain] = "ScaleDown"
	b.Annotations[contract.AnnotationDrainSince] = since
	return b
}

func (b podBuilder) annotated(key, value string) podBuilder { b.Annotations[key] = value; return b }

func (b podBuilder) deleted() podBuilder {
	b.DeletionTimestamp = ptr.To(metav1.NewTime(t0))
	return b
}

func TestStateOf(t *testing.T) {
	const since = "2026-01-02T03:04:05Z"
	none := corev1.ContainerState{}
	type want struct {
		Phase   planner.Phase
		Failure planner.Failure
	}
	failure := func(level int, after time.Duration) planner.Failure {
		return planner.Failure{Level: level, At: t0.Add(after)}
	}
	cases := map[string]struct {
		pod  podBuilder
		want want
	}{
		"a new pod is pending":                          {makePod(), want{Phase: planner.Pending}},
		"a running worker is running":                   {makePod().running(0, none), want{Phase: planner.Running}},
		"a running sidecar alone is not":                {makePod().container("proxy", running(), none, 0), want{Phase: planner.Pending}},
		"a worker in crash back-off is pending":         {makePod().container("worker", waiting("CrashLoopBackOff", ""), exited(1, 0), 3), want{Phase: planner.Pending}},
		"a crash that is about to be restarted too":     {makePod().container("worker", exited(1, 0), none, 0), want{Phase: planner.Pending}},
		"a pod that is deleted is terminating":          {makePod().running(0, none).deleted(), want{Phase: planner.Terminating}},
		"an exit with 0 is a departure, grant or no":    {makePod().ended(corev1.PodSucceeded, exited(0, time.Minute)), want{Phase: planner.Left}},
		"also while a sidecar still runs":               {makePod().ended(corev1.PodRunning, exited(0, time.Minute)), want{Phase: planner.Left}},
		"an exit with 0 at once is a crash":             {makePod().ended(corev1.PodSucceeded, exited(0, 9*time.Second)), want{planner.Left, failure(1, 9*time.Second)}},
		"unless it had leave":                           {makePod().ended(corev1.PodSucceeded, exited(0, time.Second)).granted(since + ",0"), want{Phase: planner.Left}},
		"or had it until just now":                      {makePod().ended(corev1.PodSucceeded, exited(0, time.Second)).annotated(contract.AnnotationDrainSince, since+",0"), want{Phase: planner.Left}},
		"a crash without restart has left":              {makePod().policy(corev1.RestartPolicyNever).ended(corev1.PodFailed, exited(3, time.Minute)), want{planner.Left, failure(1, time.Minute)}},
		"failures in a row add up":                      {makePod().policy(corev1.RestartPolicyNever).annotated(revision.AnnotationFailures, "2").ended(corev1.PodFailed, exited(3, time.Minute)), want{planner.Left, failure(3, time.Minute)}},
		"a long run begins anew":                        {makePod().policy(corev1.RestartPolicyNever).annotated(revision.AnnotationFailures, "2").ended(corev1.PodFailed, exited(3, time.Hour)), want{planner.Left, failure(1, time.Hour)}},
		"restartPolicy Always: an exit with 0 restarts": {makePod().policy(corev1.RestartPolicyAlways).ended(corev1.PodRunning, exited(0, time.Minute)), want{Phase: planner.Pending}},
		"Always: with leave it is a departure":          {makePod().policy(corev1.RestartPolicyAlways).ended(corev1.PodRunning, exited(0, time.Minute)).granted(since + ",0"), want{Phase: planner.Left}},
		"Always: also once it was restarted":            {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(0, time.Minute)).granted(since + ",0"), want{Phase: planner.Left}},
		"Always: not by an exit before the grant":       {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(0, time.Minute)).granted(since + ",1"), want{Phase: planner.Running}},
		"Always: a crash under a grant is no departure": {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(1, time.Minute)).granted(since + ",0"), want{Phase: planner.Running}},
		"a grant by hand says nothing of the past":      {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(0, time.Minute)).granted(""), want{Phase: planner.Running}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := StateOf(c.pod.Pod, "worker")
			if diff := cmp.Diff(c.want, want{got.Phase, got.Failure}); diff != "" {
				t.Errorf("StateOf (-want +got):\n%s", diff)
			}
		})
	}
}

// A pod that somebody else ended says nothing of its revision. One that the kubelet would not run does, and one that
// exceeded a limit of its own: the next is refused as soon, and must wait.
func TestWhoseFaultAFailureIs(t *testing.T) {
	disrupted := []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}
	cases := map[string]struct {
		status corev1.PodStatus
		level  int
	}{
		"evicted by a node that is short of memory": {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Conditions: disrupted}, 0},
		"evicted for its own ephemeral storage":     {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}, 1},
		"the node has no room for it":               {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfcpu"}, 1},
		"it has run for too long":                   {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded"}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod := makePod()
			pod.CreationTimestamp = metav1.Now()
			pod.Status = c.status
			got := StateOf(pod.Pod, "worker")
			if got.Phase != planner.Left || got.Failure.Level != c.level || got.Failure.At.IsZero() {
				t.Errorf("StateOf = %+v, want it to have left with a failure of level %d", got, c.level)
			}
			if words, _ := Trouble(pod.Pod, "worker"); words != c.status.Reason {
				t.Errorf("Trouble = %q, want %q", words, c.status.Reason)
			}
		})
	}
}

func TestStateOfContainerRestartPolicy(t *testing.T) {
	pod := makePod().policy(corev1.RestartPolicyAlways).ended(corev1.PodRunning, exited(0, time.Minute))
	pod.Spec.Containers[1].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyNever)
	if got := StateOf(pod.Pod, "worker").Phase; got != planner.Left {
		t.Errorf("Phase = %v, want Left: the container's own policy decides", got)
	}
}

func TestTrouble(t *testing.T) {
	unschedulable := makePod()
	unschedulable.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available",
	}}
	unready := makePod().container("worker", running(), exited(3, 0), 2)
	cases := map[string]struct {
		pod     podBuilder
		want    string
		failing bool
	}{
		"starting is no trouble":            {makePod().container("worker", waiting("ContainerCreating", ""), corev1.ContainerState{}, 0), "", false},
		"a crash, and it runs again":        {unready, "restarted 2 times; the last time: exit code 3", true},
		"a crash of the past is no trouble": {makePod().running(2, exited(3, 0)), "", false},
		"an image that is not there": {
			makePod().container("worker", waiting("ImagePullBackOff", "no such image"), corev1.ContainerState{}, 0),
			"ImagePullBackOff: no such image", true,
		},
		"no node":          {unschedulable, "Unschedulable: 0/3 nodes are available", false},
		"a crash just now": {makePod().container("worker", exited(2, 0), corev1.ContainerState{}, 0), "exit code 2", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, failing := Trouble(c.pod.Pod, "worker"); got != c.want || failing != c.failing {
				t.Errorf("Trouble = %q, %t, want %q, %t", got, failing, c.want, c.failing)
			}
		})
	}
}
