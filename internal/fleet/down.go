package fleet

import corev1 "k8s.io/api/core/v1"

// Down reports whether a process of the container has ended and the next is not reported to run, and how often the
// container was restarted before.
func Down(pod *corev1.Pod, container string) (restarts int32, isDown bool) {
	s := statusOf(pod, container).status
	ended := s.State.Terminated != nil || s.LastTerminationState.Terminated != nil || s.RestartCount > 0
	return s.RestartCount, ended && s.State.Running == nil
}
