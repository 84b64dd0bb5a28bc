package fleet

import (
	"strings"
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
		"after 10 seconds it is none":                   {makePod().ended(corev1.PodSucceeded, exited(0, 10*time.Second)), want{Phase: planner.Left}},
		"unless it had a grant":                         {makePod().ended(corev1.PodSucceeded, exited(0, time.Second)).granted(since + ",0"), want{Phase: planner.Left}},
		"or had it until just now":                      {makePod().ended(corev1.PodSucceeded, exited(0, time.Second)).annotated(contract.AnnotationDrainSince, since+",0"), want{Phase: planner.Left}},
		"a crash without restart has left":              {makePod().policy(corev1.RestartPolicyNever).ended(corev1.PodFailed, exited(3, time.Minute)), want{planner.Left, failure(1, time.Minute)}},
		"failures in a row add up":                      {makePod().policy(corev1.RestartPolicyNever).annotated(revision.AnnotationFailures, "2").ended(corev1.PodFailed, exited(3, time.Minute)), want{planner.Left, failure(3, time.Minute)}},
		"a long run begins anew":                        {makePod().policy(corev1.RestartPolicyNever).annotated(revision.AnnotationFailures, "2").ended(corev1.PodFailed, exited(3, time.Hour)), want{planner.Left, failure(1, time.Hour)}},
		"restartPolicy Always: an exit with 0 restarts": {makePod().policy(corev1.RestartPolicyAlways).ended(corev1.PodRunning, exited(0, time.Minute)), want{Phase: planner.Pending}},
		"Always: with a grant it is a departure":        {makePod().policy(corev1.RestartPolicyAlways).ended(corev1.PodRunning, exited(0, time.Minute)).granted(since + ",0"), want{Phase: planner.Left}},
		"Always: also once it was restarted":            {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(0, time.Minute)).granted(since + ",0"), want{Phase: planner.Left}},
		"Always: not by an exit before the grant":       {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(0, time.Minute)).granted(since + ",1"), want{Phase: planner.Running}},
		"Always: a crash under a grant is no departure": {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(1, time.Minute)).granted(since + ",0"), want{Phase: planner.Running}},
		"Always: also after many restarts":              {makePod().policy(corev1.RestartPolicyAlways).running(11, exited(0, time.Minute)).granted(since + ",10"), want{Phase: planner.Left}},
		"Always: a number that nobody can have written": {makePod().policy(corev1.RestartPolicyAlways).running(1, exited(0, time.Minute)).granted(since + ",-4294967296"), want{Phase: planner.Running}},
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

// The planner counts a grant's age from here; one whose time cannot be read has none.
func TestStateOfAGrant(t *testing.T) {
	const since = "2026-01-02T03:04:05.5Z"
	cases := map[string]planner.Grant{
		since + ",0": {Reason: contract.ReasonScaleDown, Since: t0.Add(500 * time.Millisecond)},
		since:        {Reason: contract.ReasonScaleDown, Since: t0.Add(500 * time.Millisecond)},
		"yesterday":  {Reason: contract.ReasonScaleDown},
		"":           {Reason: contract.ReasonScaleDown},
	}
	for since, want := range cases {
		got := StateOf(makePod().running(0, corev1.ContainerState{}).granted(since).Pod, "worker")
		if diff := cmp.Diff(want, got.Grant); diff != "" || got.Phase != planner.Running {
			t.Errorf("of %q, the worker is %v (-want +got):\n%s", since, got.Phase, diff)
		}
	}
	if got := StateOf(makePod().Pod, "worker"); got.Grant != (planner.Grant{}) {
		t.Errorf("without an annotation the grant is %+v", got.Grant)
	}
}

// The trouble goes with the state: the planner says why a rollout stands still.
func TestStateOfHasTheTrouble(t *testing.T) {
	pod := makePod().container("worker", waiting("ImagePullBackOff", "no such image"), corev1.ContainerState{}, 0)
	if got := StateOf(pod.Pod, "worker"); got.Trouble != "ImagePullBackOff: no such image" || !got.Failing || got.Revision != "r1" {
		t.Errorf("StateOf = %+v", got)
	}
}

// When a pod failed, and how long it ran, is read from what there is: clocks differ, and a kubelet that ran nothing says
// little.
func TestWhenAPodFailed(t *testing.T) {
	at := func(after time.Duration) metav1.Time { return metav1.NewTime(t0.Add(after)) }
	ended := func(state corev1.ContainerStateTerminated) podBuilder {
		state.ExitCode = 3
		return makePod().annotated(revision.AnnotationFailures, "2").policy(corev1.RestartPolicyNever).
			ended(corev1.PodFailed, corev1.ContainerState{Terminated: &state})
	}
	refused := func(start *metav1.Time, conditions ...corev1.PodCondition) podBuilder {
		pod := makePod().annotated(revision.AnnotationFailures, "2").phase(corev1.PodFailed)
		pod.Status.StartTime, pod.Status.Conditions = start, conditions
		return pod
	}
	cases := map[string]struct {
		pod  podBuilder
		want planner.Failure
	}{
		"a container that never started, in 1970": {
			ended(corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(time.Unix(0, 0)), FinishedAt: at(time.Minute)}),
			planner.Failure{Level: 3, At: t0.Add(time.Minute)},
		},
		"a container that never started, without a time": {
			ended(corev1.ContainerStateTerminated{FinishedAt: at(time.Minute)}), planner.Failure{Level: 3, At: t0.Add(time.Minute)},
		},
		"a container that started a second after 1970": {
			ended(corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(time.Unix(1, 0)), FinishedAt: at(time.Minute)}),
			planner.Failure{Level: 1, At: t0.Add(time.Minute)},
		},
		"a node whose clock is behind": {
			ended(corev1.ContainerStateTerminated{StartedAt: at(-2 * time.Minute), FinishedAt: at(-time.Minute)}), planner.Failure{Level: 3, At: t0},
		},
		"a pod without conditions failed when it was created": {refused(nil), planner.Failure{Level: 3, At: t0}},
		"else at its latest condition": {
			refused(nil, corev1.PodCondition{LastTransitionTime: at(time.Hour)}, corev1.PodCondition{LastTransitionTime: at(time.Minute)}),
			planner.Failure{Level: 1, At: t0.Add(time.Hour)},
		},
		"and ran since the kubelet had it": {
			refused(ptr.To(at(time.Hour-time.Minute)), corev1.PodCondition{LastTransitionTime: at(time.Hour)}),
			planner.Failure{Level: 3, At: t0.Add(time.Hour)},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, StateOf(c.pod.Pod, "worker").Failure); diff != "" {
				t.Errorf("the failure (-want +got):\n%s", diff)
			}
		})
	}
}

// A disruption that did not come to pass is none.
func TestADisruptionThatIsOverIsNoExcuse(t *testing.T) {
	pod := makePod().phase(corev1.PodFailed)
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.DisruptionTarget, Status: corev1.ConditionFalse}, {Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	}
	if got := StateOf(pod.Pod, "worker").Failure.Level; got != 1 {
		t.Errorf("the failure is of level %d, want 1", got)
	}
}

func TestDeletedAtIsWhenItWasAskedFor(t *testing.T) {
	pod := makePod().deleted()
	if got := DeletedAt(pod.Pod); !got.Equal(t0) {
		t.Errorf("without a grace period it is %s, want %s", got, t0)
	}
	if got, want := DeletedAt(makePod().graceful(60).Pod), t0.Add(-time.Minute); !got.Equal(want) {
		t.Errorf("with a minute's it is %s, want %s", got, want)
	}
}

// A worker that has left has ended well where it exited with 0, whatever became of the others.
func TestStateOfHasWhenAWorkerEndedWell(t *testing.T) {
	for name, c := range map[string]struct {
		pod  podBuilder
		want time.Time
	}{
		"it exited with 0":                {makePod().ended(corev1.PodSucceeded, exited(0, time.Minute)), t0.Add(time.Minute)},
		"it crashed":                      {makePod().policy(corev1.RestartPolicyNever).ended(corev1.PodFailed, exited(1, time.Minute)), time.Time{}},
		"the kubelet would not run it":    {makePod().phase(corev1.PodFailed), time.Time{}},
		"it runs":                         {makePod().running(0, corev1.ContainerState{}), time.Time{}},
		"another one of the pod has well": {makePod().container("proxy", exited(0, time.Minute), corev1.ContainerState{}, 0).phase(corev1.PodFailed), time.Time{}},
	} {
		if got := StateOf(c.pod.Pod, "worker").EndedWell; !got.Equal(c.want) {
			t.Errorf("%s: it ended well at %v, want %v", name, got, c.want)
		}
	}
}

func TestRunsAndRevisionOf(t *testing.T) {
	pod := makePod().running(0, corev1.ContainerState{})
	if !Runs(pod.Pod, "worker") || Runs(pod.Pod, "proxy") || RevisionOf(pod.Pod) != "r1" {
		t.Errorf("the worker runs: %t, the proxy: %t; the revision is %q", Runs(pod.Pod, "worker"), Runs(pod.Pod, "proxy"), RevisionOf(pod.Pod))
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
	scheduled := makePod()
	scheduled.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, Reason: "Fine"}, {Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "NotYet"},
	}
	refused := makePod().phase(corev1.PodFailed)
	refused.Status.Reason, refused.Status.Message = "OutOfcpu", "node has no room"
	waits := waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container=worker pod=a_ns(1-2-3)")
	ended := func(reason, message string, code int32, ran time.Duration) corev1.ContainerState {
		state := exited(code, ran)
		state.Terminated.Reason, state.Terminated.Message = reason, message
		return state
	}
	noStart := ended("StartError", "failed to create task: exec: \"/no/such/file\": no such file or directory", 128, time.Minute)
	noStart.Terminated.StartedAt = metav1.NewTime(time.Unix(0, 0))
	signalled := ended("Error", "", 137, 3*time.Second)
	signalled.Terminated.Signal = 9
	backwards := ended("Error", "", 1, -time.Second)
	cases := map[string]struct {
		pod     podBuilder
		want    string
		failing bool
	}{
		"starting is no trouble": {makePod().container("worker", waiting("ContainerCreating", ""), corev1.ContainerState{}, 0), "", false},
		"a crash, and it runs again": {
			makePod().container("worker", running(), exited(3, 2*time.Second), 2), "restarted 2 times; exit code 3 after 2s", true,
		},
		"a crash, and it is ready again": {makePod().running(2, exited(3, 2*time.Second)), "restarted 2 times; exit code 3 after 2s", true},
		"a crash, and the pause before the next start": {
			makePod().container("worker", waits, exited(3, 2*time.Second), 2), "restarted 2 times; exit code 3 after 2s", true,
		},
		"a crash loop of which nothing else is known": {
			makePod().container("worker", waiting("CrashLoopBackOff", "back-off"), corev1.ContainerState{}, 2), "CrashLoopBackOff: back-off", true,
		},
		"a crash loop of exits with 0": {
			makePod().container("worker", waits, ended("Completed", "", 0, 2*time.Second), 1), "restarted once; exit code 0 after 2s", true,
		},
		"a command that is not there": {
			makePod().container("worker", waits, noStart, 5),
			"restarted 5 times; StartError: exit code 128: failed to create task: exec: \"/no/such/file\": no such file or directory", true,
		},
		"a start that fails, in a runtime that knows no 1970": {
			makePod().container("worker", waits, ended("StartError", "no", 128, time.Minute), 1), "restarted once; StartError: exit code 128: no", true,
		},
		"out of memory": {
			makePod().container("worker", waits, ended("OOMKilled", "", 137, 90*time.Minute), 1),
			"restarted once; OOMKilled: exit code 137 after 1h30m", true,
		},
		"a signal":                    {makePod().container("worker", signalled, corev1.ContainerState{}, 0), "signal 9 after 3s", true},
		"an end before the beginning": {makePod().container("worker", backwards, corev1.ContainerState{}, 0), "exit code 1 after less than a second", true},
		"several lines of last words": {
			makePod().container("worker", ended("Error", "Traceback:\n  File \"app.py\"\nKeyError: 'x'\n", 1, 500*time.Millisecond), corev1.ContainerState{}, 0),
			"exit code 1 after less than a second: Traceback: File \"app.py\" KeyError: 'x'", true,
		},
		"many last words, of which the end counts": {
			makePod().container("worker", ended("Error", strings.Repeat("x", 300)+strings.Repeat("y", 300), 1, 0), corev1.ContainerState{}, 0),
			"exit code 1 after less than a second: ..." + strings.Repeat("x", 100) + strings.Repeat("y", 300), true,
		},
		"an image that is not there": {
			makePod().container("worker", waiting("ImagePullBackOff", "no such image"), corev1.ContainerState{}, 0),
			"ImagePullBackOff: no such image", true,
		},
		"an image of another container": {
			makePod().container("proxy", waiting("ErrImagePull", "no such image"), corev1.ContainerState{}, 0),
			"container proxy: ErrImagePull: no such image", true,
		},
		"an init container that crashes": {
			makePod().policy(corev1.RestartPolicyNever).initContainer("migrate", exited(1, time.Minute)).phase(corev1.PodFailed),
			"container migrate: exit code 1 after 1m0s", true,
		},
		"a sidecar that has crashed beside a worker that runs": {
			makePod().container("proxy", exited(1, 0), corev1.ContainerState{}, 0).running(0, corev1.ContainerState{}), "", false,
		},
		"an exit with 1 just now":           {makePod().container("worker", exited(1, time.Second), corev1.ContainerState{}, 0), "exit code 1 after 1s", true},
		"an exit with 0, and it runs again": {makePod().container("worker", running(), exited(0, 0), 1), "", false},
		"an exit with 0, and it will run again": {
			makePod().policy(corev1.RestartPolicyAlways).container("worker", exited(0, time.Second), corev1.ContainerState{}, 0), "", false,
		},
		"an exit with 0 for good":    {makePod().container("worker", exited(0, time.Second), corev1.ContainerState{}, 0), "exit code 0 after 1s", false},
		"it has a node":              {scheduled, "", false},
		"the kubelet refuses it":     {refused, "OutOfcpu: node has no room", true},
		"it failed without a reason": {makePod().phase(corev1.PodFailed), "", false},
		"no node":                    {unschedulable, "Unschedulable: 0/3 nodes are available", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, failing := Trouble(c.pod.Pod, "worker"); got != c.want || failing != c.failing {
				t.Errorf("Trouble = %q, %t, want %q, %t", got, failing, c.want, c.failing)
			}
		})
	}
}
