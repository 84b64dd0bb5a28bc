package fleet

import (
	corev1 "k8s.io/api/core/v1"
)

// Trouble says in a few words why a pod's worker does not run, is not ready, or was not a moment ago. It says "" where
// nothing is known to be wrong. Failing is true where the pod itself fails, as by a crash or a missing image, and false
// where it merely waits, as for a node.
//
// The reason of a crash is told also while the worker runs again. Whether it now stays up is for the callers to say, who
// have a clock.
func Trouble(pod *corev1.Pod, worker string) (words string, failing bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return joinWords(c.Reason, c.Message), false
		}
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		return joinWords(pod.Status.Reason, oneLine(pod.Status.Message)), true
	}
	for s := range statuses(pod) {
		if waiting := s.State.Waiting; waiting != nil && !ordinaryWait[waiting.Reason] {
			return ofContainer(s, worker, waitingWords(s)), true
		}
	}
	container := statusOf(pod, worker)
	status := container.status
	switch now, before := status.State.Terminated, status.LastTerminationState.Terminated; {
	case now != nil && (now.ExitCode != 0 || container.ended(pod)):
		return crashWords(now, status.RestartCount), now.ExitCode != 0
	case now == nil && before != nil && before.ExitCode != 0:
		return crashWords(before, status.RestartCount), true
	case status.State.Running == nil:
		return besideWords(pod, worker)
	}
	return "", false
}

// besideWords say what another container has ended of, for which the worker does not start.
func besideWords(pod *corev1.Pod, worker string) (words string, failing bool) {
	for s := range statuses(pod) {
		if t := s.State.Terminated; t != nil && t.ExitCode != 0 {
			return ofContainer(s, worker, crashWords(t, s.RestartCount)), true
		}
	}
	return "", false
}

// ofContainer adds which container the words are about, where that is not the worker.
func ofContainer(s *corev1.ContainerStatus, worker, words string) string {
	if s.Name == worker {
		return words
	}
	return "container " + s.Name + ": " + words
}

// ordinaryWait has the waiting reasons of a pod that is merely starting.
var ordinaryWait = map[string]bool{"": true, "ContainerCreating": true, "PodInitializing": true}

// crashLoop is the waiting reason of a container that is restarted after a pause. Its message is about the pause, and the
// cause stands in the last state.
const crashLoop = "CrashLoopBackOff"

// waitingWords say why a container waits.
func waitingWords(s *corev1.ContainerStatus) string {
	if t := s.LastTerminationState.Terminated; s.State.Waiting.Reason == crashLoop && t != nil {
		return crashWords(t, s.RestartCount)
	}
	return joinWords(s.State.Waiting.Reason, oneLine(s.State.Waiting.Message))
}
