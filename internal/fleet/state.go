package fleet

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
)

// endedAtOnce is how soon after its start an exit with 0 and without a grant counts as a crash: an image
// that ends at once must not be created again in a hot loop.
const endedAtOnce = 10 * time.Second

// StateOf tells where a pod stands, seen from the named worker container.
func StateOf(pod *corev1.Pod, worker string) planner.Pod {
	state := planner.Pod{
		Name:        pod.Name,
		Revision:    pod.Labels[contract.LabelPodSpecHash],
		Created:     pod.CreationTimestamp.Time,
		Unreachable: pod.Status.Phase == corev1.PodUnknown,
	}
	state.Ready, state.ReadyChanged = readiness(pod)
	grant, hasGrant := grantOf(pod)
	if hasGrant {
		state.Grant = planner.Grant{Reason: grant.reason, Since: grant.since}
	}
	container := statusOf(pod, worker)
	switch {
	case pod.DeletionTimestamp != nil:
		state.Phase = planner.Terminating
		state.Leftover = isLeftover(pod, container)
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || container.ended(pod) || (hasGrant && container.endedWellSince(grant.restarts)):
		state.Phase = planner.Left
		state.Ended = Ended(pod)
		state.Failure = failureOf(pod, container)
		state.EndedWell = container.endedWellAt()
	case container.status.State.Running != nil:
		state.Phase = planner.Running
	default:
		state.Phase = planner.Pending
	}
	state.Trouble, state.Failing = Trouble(pod, worker)
	return state
}

// isLeftover reports whether a pod that is being deleted waits for nothing but a sidecar, and for longer than
// one is given.
func isLeftover(pod *corev1.Pod, worker workerStatus) bool {
	grace := pod.DeletionGracePeriodSeconds
	return grace != nil && *grace > leftoverGrace && worker.endedFinally(pod) && anyRuns(pod)
}

// Ended reports whether every container of the pod has ended for good. The phase alone does not tell: a pod on an
// unreachable node becomes Failed while its containers may still run.
func Ended(pod *corev1.Pod) bool {
	if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
		return false // before its containers are looked at: most pods of a fleet have not
	}
	return !anyRuns(pod)
}

// Runs reports whether a container of the pod runs.
func Runs(pod *corev1.Pod, container string) bool {
	return statusOf(pod, container).status.State.Running != nil
}

// DeletedAt is when the deletion of a pod that is being deleted was asked for.
func DeletedAt(pod *corev1.Pod) time.Time {
	return pod.DeletionTimestamp.Add(-time.Duration(ptr.Deref(pod.DeletionGracePeriodSeconds, 0)) * time.Second)
}

// anyRuns reports whether a container of the pod runs.
func anyRuns(pod *corev1.Pod) bool {
	for s := range statuses(pod) {
		if s.State.Running != nil {
			return true
		}
	}
	return false
}

// statuses are those of all containers; native sidecars are among the init containers. None is copied: they are large,
// and each pod of a fleet is looked at for each that changes.
func statuses(pod *corev1.Pod) iter.Seq[*corev1.ContainerStatus] {
	return func(yield func(*corev1.ContainerStatus) bool) {
		for _, list := range [...][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// readiness reports whether a pod is ready, and since when that is so.
func readiness(pod *corev1.Pod) (ready bool, since time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// grant is the annotations of a grant, read.
type grant struct {
	reason contract.Reason
	since  time.Time
	// restarts is the worker container's restart count when the pod got its grant.
	restarts int32
}

func grantOf(pod *corev1.Pod) (grant, bool) {
	reason := pod.Annotations[contract.AnnotationDrain]
	if reason == "" {
		return grant{}, false
	}
	g := grant{reason: contract.Reason(reason), restarts: -1}
	since, restarts, _ := strings.Cut(pod.Annotations[contract.AnnotationDrainSince], ",")
	if t, err := time.Parse(time.RFC3339Nano, since); err == nil {
		g.since = t
	}
	if n, err := strconv.ParseInt(restarts, 10, 32); err == nil {
		g.restarts = int32(n)
	}
	return g, true
}

// workerStatus is the status of the worker container; the zero value is one that has never been reported.
type workerStatus struct {
	status corev1.ContainerStatus
}

func statusOf(pod *corev1.Pod, worker string) workerStatus {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == worker {
			return workerStatus{s}
		}
	}
	return workerStatus{}
}

// ended reports whether the container has ended and will not be restarted.
func (w workerStatus) ended(pod *corev1.Pod) bool {
	terminated := w.status.State.Terminated
	return terminated != nil && !willRestart(pod, w.status.Name, terminated.ExitCode) && !restartsAll(pod)
}

// endedFinally reports whether the container of a pod that is being deleted has ended for good. The kubelet restarts none
// once it has seen that the pod is to go; one that crashed shortly before may be back, with its task.
func (w workerStatus) endedFinally(pod *corev1.Pod) bool {
	seen := pod.Status.ObservedGeneration > 0 && pod.Status.ObservedGeneration >= pod.Generation
	return w.ended(pod) || (seen && w.status.State.Terminated != nil)
}

// endedWellSince reports whether the container has exited with 0 since its restart count was the given one.
// The restart count tells, never the clocks: those of the node and of the operator differ. A negative count
// is one that nobody recorded; then only the present state counts.
func (w workerStatus) endedWellSince(restarts int32) bool {
	if t := w.status.State.Terminated; t != nil {
		return t.ExitCode == 0
	}
	t := w.status.LastTerminationState.Terminated
	return t != nil && t.ExitCode == 0 && restarts >= 0 && w.status.RestartCount > restarts
}

// endedWellAt is when the container exited with 0, zero where it did not.
func (w workerStatus) endedWellAt() time.Time {
	if t := w.status.State.Terminated; t != nil && t.ExitCode == 0 {
		return t.FinishedAt.Time
	}
	return time.Time{}
}

// failureOf tells how a pod that has left failed, if it did. One that somebody else ended, by an eviction or the
// shutdown of its node, failed at level 0: that is not its revision's fault. One that the kubelet would not run, such
// as for OutOfcpu or a node that its podSpec names, is: another one is refused as soon.
func failureOf(pod *corev1.Pod, w workerStatus) planner.Failure {
	terminated := w.status.State.Terminated
	if terminated == nil {
		if pod.Status.Phase != corev1.PodFailed {
			return planner.Failure{}
		}
		failure := planner.Failure{At: failedAt(pod)}
		if !disrupted(pod) {
			failure.Level = planner.FailureLevel(failuresBefore(pod), failure.At.Sub(startOf(pod)))
		}
		return failure
	}
	ran := terminated.FinishedAt.Sub(terminated.StartedAt.Time)
	if terminated.StartedAt.Unix() <= 0 {
		ran = 0 // it never started; some runtimes then say 1970
	}
	crashed := terminated.ExitCode != 0
	if !crashed && (ran >= endedAtOnce || everGranted(pod)) {
		return planner.Failure{}
	}
	failure := planner.Failure{At: terminated.FinishedAt.Time}
	if failure.At.Before(pod.CreationTimestamp.Time) {
		failure.At = pod.CreationTimestamp.Time // the node's clock is behind
	}
	if !disrupted(pod) {
		failure.Level = planner.FailureLevel(failuresBefore(pod), ran)
	}
	return failure
}

// failuresBefore is how many pods in a row had failed when this one was created.
func failuresBefore(pod *corev1.Pod) int {
	failures := pod.Annotations[revision.AnnotationFailures]
	if failures == "" {
		return 0 // the error would cost each pod an allocation
	}
	n, _ := strconv.Atoi(failures)
	return n
}

// startOf is when the kubelet first had the pod, or when it was created.
func startOf(pod *corev1.Pod) time.Time {
	if pod.Status.StartTime != nil {
		return pod.Status.StartTime.Time
	}
	return pod.CreationTimestamp.Time
}

// everGranted reports whether the pod has had a grant, withdrawn or not: its worker may have acted on it.
// Withdrawing leaves AnnotationDrainSince in place for this.
func everGranted(pod *corev1.Pod) bool {
	_, since := pod.Annotations[contract.AnnotationDrainSince]
	return since || pod.Annotations[contract.AnnotationDrain] != ""
}

// disrupted reports whether somebody else, and not the worker or its revision, ended the pod: an eviction, a
// preemption, or a node that is short of something, is shut down or is gone. They all leave this condition. A pod that
// exceeds a limit of its own, of ephemeral storage or of time, has none.
func disrupted(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue
	})
}

func failedAt(pod *corev1.Pod) time.Time {
	at := pod.CreationTimestamp.Time
	for _, c := range pod.Status.Conditions {
		if c.LastTransitionTime.After(at) {
			at = c.LastTransitionTime.Time
		}
	}
	return at
}

// RevisionOf is the hash of the revision that a pod was made from.
func RevisionOf(pod *corev1.Pod) string { return pod.Labels[contract.LabelPodSpecHash] }
