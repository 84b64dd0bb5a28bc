package rightsize

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// oomKilled is the kubelet's reason. The exit code 137 alone is no sign of it, any SIGKILL has it.
const oomKilled = "OOMKilled"

// Kill is the end of a container by the out-of-memory killer.
type Kill struct {
	PodUID         types.UID
	Pod, Container string
	// Restarts is the container's restart count when it was killed.
	Restarts int32
	// FinishedAt is when it was killed, by its node's clock, zero where that is not told.
	FinishedAt time.Time
	// Request is the memory that the container had requested, in bytes, 0 for none.
	Request int64
	// Limit is its limit of memory in bytes, 0 for none.
	Limit int64
}

// Kills has the kills that a pod's status tells of: of each container the last, and the one before it while
// the container has not been started again.
//
// A container's restart count is that of its latest run. So it is the count of a run that has ended, also
// while the kubelet waits before the next, and one more than that of the run before it.
func Kills(pod *corev1.Pod) []Kill {
	var kills []Kill
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range statuses {
			last := s.RestartCount - 1
			if s.State.Waiting != nil {
				last = s.RestartCount
			}
			if killed(s.LastTerminationState.Terminated) {
				kills = append(kills, killOfRun(pod, s, last, s.LastTerminationState))
			}
			if killed(s.State.Terminated) {
				kills = append(kills, killOfRun(pod, s, s.RestartCount, s.State))
			}
		}
	}
	return kills
}

// LastKilled reports whether a container does not run, and its last run was ended by the out-of-memory killer.
func LastKilled(pod *corev1.Pod, container string) bool {
	for _, s := range pod.Status.ContainerStatuses {
		switch {
		case s.Name != container:
		case s.State.Running != nil:
			return false
		case s.State.Terminated != nil:
			return killed(s.State.Terminated)
		default:
			return killed(s.LastTerminationState.Terminated)
		}
	}
	return false
}

func killOfRun(pod *corev1.Pod, s corev1.ContainerStatus, restarts int32, ended corev1.ContainerState) Kill {
	return Kill{
		PodUID: pod.UID, Pod: pod.Name, Container: s.Name, Restarts: restarts,
		FinishedAt: ended.Terminated.FinishedAt.Time, Request: memoryOf(pod, s), Limit: limitOf(pod, s),
	}
}

func killed(t *corev1.ContainerStateTerminated) bool { return t != nil && t.Reason == oomKilled }

// memoryOf is the memory that a container has requested, as the kubelet has enacted it: one that was asked
// for after the kill is not to count as having failed.
func memoryOf(pod *corev1.Pod, s corev1.ContainerStatus) int64 {
	if s.Resources != nil {
		if enacted := MemoryRequest(*s.Resources); enacted != 0 {
			return enacted
		}
	}
	if c := containerOf(&pod.Spec, s.Name); c != nil {
		return MemoryRequest(c.Resources)
	}
	return 0
}

// limitOf is a container's limit of memory, as the kubelet has enacted it.
func limitOf(pod *corev1.Pod, s corev1.ContainerStatus) int64 {
	if s.Resources != nil {
		if enacted := memoryIn(s.Resources.Limits); enacted != 0 {
			return enacted
		}
	}
	if c := containerOf(&pod.Spec, s.Name); c != nil {
		return memoryIn(c.Resources.Limits)
	}
	return 0
}
