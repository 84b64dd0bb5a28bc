package rightsize

import (
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
	// Request is the memory that the container had requested, in bytes, 0 for none.
	Request int64
}

// Kills has the kills that a pod's status tells of: of each container the last, whether or not it has been
// started again since.
func Kills(pod *corev1.Pod) []Kill {
	var kills []Kill
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range statuses {
			kill := Kill{PodUID: pod.UID, Pod: pod.Name, Container: s.Name, Request: memoryOf(pod, s)}
			switch {
			case killed(s.State.Terminated):
				kill.Restarts = s.RestartCount
			case killed(s.LastTerminationState.Terminated):
				kill.Restarts = s.RestartCount - 1
			default:
				continue
			}
			kills = append(kills, kill)
		}
	}
	return kills
}

func killed(t *corev1.ContainerStateTerminated) bool { return t != nil && t.Reason == oomKilled }

// memoryOf is the memory that a container has requested, as the kubelet has enacted it: one that was asked
// for after the kill is not to count as having failed.
func memoryOf(pod *corev1.Pod, s corev1.ContainerStatus) int64 {
	if s.Resources != nil {
		if enacted := requested(*s.Resources, corev1.ResourceMemory); !enacted.IsZero() {
			return enacted.Value()
		}
	}
	if c := containerOf(&pod.Spec, s.Name); c != nil {
		asked := requested(c.Resources, corev1.ResourceMemory)
		return asked.Value()
	}
	return 0
}
