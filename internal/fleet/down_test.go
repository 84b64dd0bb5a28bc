package fleet

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A container is down from the end of a process until the next is reported to run.
func TestDown(t *testing.T) {
	none := corev1.ContainerState{}
	for name, c := range map[string]struct {
		pod      podBuilder
		restarts int32
		down     bool
	}{
		"it was never reported":    {makePod(), 0, false},
		"it has yet to start":      {makePod().container("worker", waiting("ContainerCreating", ""), none, 0), 0, false},
		"it runs":                  {makePod().running(0, none), 0, false},
		"it has ended":             {makePod().container("worker", exited(1, 0), none, 0), 0, true},
		"it waits for its restart": {makePod().container("worker", waiting("CrashLoopBackOff", ""), exited(1, 0), 0), 0, true},
		"so it does, and of its end nothing is known": {makePod().container("worker", waiting("", ""), none, 1), 1, true},
		"it runs again":         {makePod().running(2, exited(1, 0)), 2, false},
		"another one has ended": {makePod().container("proxy", exited(1, 0), none, 3), 0, false},
	} {
		if restarts, down := Down(c.pod.Pod, "worker"); restarts != c.restarts || down != c.down {
			t.Errorf("%s: down is %t after %d restarts, want %t after %d", name, down, restarts, c.down, c.restarts)
		}
	}
}
