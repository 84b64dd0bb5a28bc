package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/planner"
)

// initContainer adds the status of an init container; one that runs on is a native sidecar.
func (b podBuilder) initContainer(name string, state corev1.ContainerState) podBuilder {
	b.Status.InitContainerStatuses = append(b.Status.InitContainerStatuses, corev1.ContainerStatus{Name: name, State: state})
	return b
}

func (b podBuilder) phase(p corev1.PodPhase) podBuilder { b.Status.Phase = p; return b }

// graceful is a pod that is being deleted with a grace period.
func (b podBuilder) graceful(seconds int64) podBuilder {
	b = b.deleted()
	b.DeletionGracePeriodSeconds = ptr.To(seconds)
	return b
}

// observed is a pod whose deletion is its second generation, and of which the kubelet has seen the given one.
func (b podBuilder) observed(generation int64) podBuilder { return b.generations(2, generation) }

func (b podBuilder) generations(present, observed int64) podBuilder {
	b.Generation, b.Status.ObservedGeneration = present, observed
	return b
}

// TestDepartures is how a departure is told apart, whatever else is in the pod.
func TestDepartures(t *testing.T) {
	const since = "2026-01-02T03:04:05Z"
	none := corev1.ContainerState{}
	left := exited(0, time.Minute)
	type want struct {
		Phase           planner.Phase
		Ended, Leftover bool
	}
	cases := map[string]struct {
		pod  podBuilder
		want want
	}{
		"the worker has left, and a sidecar will not end": {
			makePod().ended(corev1.PodRunning, left).container("proxy", running(), none, 0), want{Phase: planner.Left},
		},
		"the worker has left, and so has the sidecar": {
			makePod().ended(corev1.PodSucceeded, left).container("proxy", left, none, 0), want{Phase: planner.Left, Ended: true},
		},
		"a sidecar has ended, and the worker works": {
			makePod().running(0, none).container("proxy", left, none, 0), want{Phase: planner.Running},
		},
		"an injected container comes first and is not the worker": {
			makePod().container("istio-proxy", running(), none, 0).ended(corev1.PodRunning, left), want{Phase: planner.Left},
		},
		"a native sidecar runs while the worker starts": {
			makePod().initContainer("proxy", running()).container("worker", waiting("PodInitializing", ""), none, 0), want{Phase: planner.Pending},
		},
		"a native sidecar runs on after the worker has left": {
			makePod().initContainer("proxy", running()).ended(corev1.PodRunning, left), want{Phase: planner.Left},
		},
		"a native sidecar still runs though the pod has a final phase": {
			makePod().initContainer("proxy", running()).ended(corev1.PodSucceeded, left), want{Phase: planner.Left},
		},
		"an init container that failed": {
			makePod().policy(corev1.RestartPolicyNever).initContainer("init", exited(1, 0)).phase(corev1.PodFailed), want{Phase: planner.Left, Ended: true},
		},
		"restartPolicy Never: a crash has left": {
			makePod().policy(corev1.RestartPolicyNever).ended(corev1.PodFailed, exited(1, time.Minute)), want{Phase: planner.Left, Ended: true},
		},
		"restartPolicy Never: also beside a running sidecar": {
			makePod().policy(corev1.RestartPolicyNever).ended(corev1.PodRunning, exited(1, time.Minute)).container("proxy", running(), none, 0), want{Phase: planner.Left},
		},
		"restartPolicy Always: it left, was restarted, and works again": {
			makePod().policy(corev1.RestartPolicyAlways).running(5, left).granted(since + ",4"), want{Phase: planner.Left},
		},
		"restartPolicy Always: it left, and waits for its restart": {
			makePod().policy(corev1.RestartPolicyAlways).container("worker", waiting("CrashLoopBackOff", ""), left, 5).granted(since + ",4"), want{Phase: planner.Left},
		},
		"restartPolicy OnFailure: a crash under a grant is restarted": {
			makePod().running(1, exited(1, time.Minute)).granted(since + ",0"), want{Phase: planner.Running},
		},
		"the clocks of node and operator differ by an hour": {
			makePod().policy(corev1.RestartPolicyAlways).running(1, exited(0, -time.Hour)).granted("2026-01-02T04:04:05Z,0"), want{Phase: planner.Left},
		},
		"deleted: its worker works on": {
			makePod().running(0, none).container("proxy", running(), none, 0).graceful(3600), want{Phase: planner.Terminating},
		},
		"deleted: its worker has ended, and a sidecar has an hour left": {
			makePod().container("worker", left, none, 0).container("proxy", running(), none, 0).graceful(3600), want{Phase: planner.Terminating, Leftover: true},
		},
		"deleted: its worker has just crashed, and may be back with its task": {
			makePod().container("worker", exited(137, 0), none, 0).container("proxy", running(), none, 0).graceful(3600).observed(1), want{Phase: planner.Terminating},
		},
		"deleted: its worker has just crashed, and the kubelet says nothing of what it has seen": {
			makePod().container("worker", exited(137, 0), none, 0).container("proxy", running(), none, 0).graceful(3600).observed(0), want{Phase: planner.Terminating},
		},
		"deleted: its worker was ended by the signal, and a sidecar has an hour left": {
			makePod().container("worker", exited(143, 0), none, 0).container("proxy", running(), none, 0).graceful(3600).observed(2), want{Phase: planner.Terminating, Leftover: true},
		},
		"deleted: there is nothing but the worker": {
			makePod().container("worker", left, none, 0).graceful(3600), want{Phase: planner.Terminating},
		},
		"deleted: the sidecar has a second longer than that": {
			makePod().container("worker", left, none, 0).container("proxy", running(), none, 0).graceful(31), want{Phase: planner.Terminating, Leftover: true},
		},
		"deleted: its worker has just crashed, and the cluster counts no generations": {
			makePod().container("worker", exited(137, 0), none, 0).container("proxy", running(), none, 0).graceful(3600).generations(0, 0), want{Phase: planner.Terminating},
		},
		"deleted: its worker was ended by the signal, and the deletion is no new generation": {
			makePod().container("worker", exited(143, 0), none, 0).container("proxy", running(), none, 0).graceful(3600).generations(1, 1), want{Phase: planner.Terminating, Leftover: true},
		},
		"deleted: the sidecar was given its 30 s": {
			makePod().container("worker", left, none, 0).container("proxy", running(), none, 0).graceful(30), want{Phase: planner.Terminating},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := StateOf(c.pod.Pod, "worker")
			if diff := cmp.Diff(c.want, want{got.Phase, got.Ended, got.Leftover}); diff != "" {
				t.Errorf("StateOf (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadinessIsDated(t *testing.T) {
	pod := makePod().running(0, corev1.ContainerState{})
	pod.Status.Conditions[0].LastTransitionTime = metav1.NewTime(t0.Add(time.Minute))
	got := StateOf(pod.Pod, "worker")
	if !got.Ready || !got.ReadyChanged.Equal(t0.Add(time.Minute)) {
		t.Errorf("Ready = %t since %v, want true since %v", got.Ready, got.ReadyChanged, t0.Add(time.Minute))
	}
	if got := StateOf(makePod().Pod, "worker"); got.Ready || !got.ReadyChanged.IsZero() {
		t.Errorf("without a condition, Ready = %t since %v, want false", got.Ready, got.ReadyChanged)
	}
}

func TestAPodInAnUnknownPhaseIsUnreachable(t *testing.T) {
	if got := StateOf(makePod().running(0, corev1.ContainerState{}).phase(corev1.PodUnknown).Pod, "worker"); !got.Unreachable {
		t.Errorf("StateOf = %+v, want it to be unreachable", got)
	}
}
