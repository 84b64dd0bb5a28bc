package fleet

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/backoff"
)

// steadyPause is the kubelet's pause before it restarts a container that has crashed.
var steadyPause = backoff.Policy{First: 10 * time.Second, Longest: 5 * time.Minute}

// crashResetAfter is how long a container must have run for its next crash to be taken as the first, by the kubelet too.
const crashResetAfter = 10 * time.Minute

// SteadyAfter is how long a worker must be ready before it counts as one that stays up: minReady, and after crashes in a
// row as long as the pause before the last start. A worker that crashes after half a minute, for ever, then counts at its
// first starts and not at each.
func SteadyAfter(pod *corev1.Pod, worker string, minReady time.Duration) time.Duration {
	crashes := failuresBefore(pod)
	status := statusOf(pod, worker).status
	if t := status.LastTerminationState.Terminated; t != nil && t.ExitCode != 0 {
		if ran, _ := ranFor(t); ran < crashResetAfter {
			crashes += int(status.RestartCount)
		}
	}
	if crashes == 0 {
		return minReady
	}
	return max(minReady, steadyPause.After(crashes))
}
