package fleet

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/revision"
)

func TestSteadyAfter(t *testing.T) {
	none := corev1.ContainerState{}
	cases := map[string]struct {
		pod      podBuilder
		minReady time.Duration
		want     time.Duration
	}{
		"a worker that never crashed":                    {makePod().running(0, none), 7 * time.Second, 7 * time.Second},
		"after its first crash":                          {makePod().running(1, exited(3, 2*time.Second)), 0, 10 * time.Second},
		"or longer, where the user asks for that":        {makePod().running(1, exited(3, 2*time.Second)), time.Minute, time.Minute},
		"after the third":                                {makePod().running(3, exited(3, 30*time.Second)), 0, 40 * time.Second},
		"after many":                                     {makePod().running(30, exited(3, 30*time.Second)), 0, 5 * time.Minute},
		"a crash after a long time is the first":         {makePod().running(30, exited(3, 10*time.Minute)), 0, 0},
		"one that ended with 0 did its task":             {makePod().running(30, exited(0, 2*time.Second)), 0, 0},
		"a new pod after two that failed":                {makePod().annotated(revision.AnnotationFailures, "2").running(0, none), 0, 20 * time.Second},
		"a pod whose worker has not been told of":        {makePod(), time.Second, time.Second},
		"what another container did is not the worker's": {makePod().container("proxy", running(), exited(1, 0), 9).running(0, none), 0, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := SteadyAfter(c.pod.Pod, "worker", c.minReady); got != c.want {
				t.Errorf("SteadyAfter = %s, want %s", got, c.want)
			}
		})
	}
}
