package fleet

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Trouble says in a few words why a pod's worker does not run or is not ready, "" where nothing is known to be
// wrong. Failing tells whether that is the pod's own doing, as a crash or an image that is not there is, and
// not merely a wait, as one for a node is.
func Trouble(pod *corev1.Pod, worker string) (words string, failing bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return joinWords(c.Reason, c.Message), false
		}
	}
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		return joinWords(pod.Status.Reason, pod.Status.Message), true
	}
	container := statusOf(pod, worker).status
	for s := range statuses(pod) {
		if waiting := s.State.Waiting; waiting != nil && !ordinaryWait[waiting.Reason] {
			return joinWords(waiting.Reason, waiting.Message), true
		}
	}
	if t := container.State.Terminated; t != nil && t.ExitCode != 0 {
		return exitWords(t), true
	}
	if ready, _ := readiness(pod); ready {
		return "", false
	}
	if t := container.LastTerminationState.Terminated; t != nil && t.ExitCode != 0 {
		return fmt.Sprintf("restarted %d times; the last time: %s", container.RestartCount, exitWords(t)), true
	}
	return "", false
}

// ordinaryWait has the waiting reasons of a pod that is merely starting.
var ordinaryWait = map[string]bool{"": true, "ContainerCreating": true, "PodInitializing": true}

// exitWords are what a container left behind when it ended.
func exitWords(t *corev1.ContainerStateTerminated) string {
	words := joinWords(t.Reason, fmt.Sprintf("exit code %d", t.ExitCode))
	return joinWords(words, strings.TrimSpace(t.Message))
}

func joinWords(reason, message string) string {
	return strings.Trim(reason+": "+message, ": ")
}
