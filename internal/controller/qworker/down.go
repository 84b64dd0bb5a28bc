package qworker

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// down is a worker whose process has ended and of which no other is reported yet, and since when this process knows it.
// The kubelet's own times are from the clock of a node.
type down struct {
	restarts int32
	seen     time.Time
}

// downSince is since when a pod's worker is known to be down, zero where it is not. A restart in between begins anew, and
// so does a time in which the API server told nothing, which ended at heardSince: the worker may have been started again in
// it, and its kubelet has that yet to report.
func (m *memory) downSince(pod *corev1.Pod, worker string, now, heardSince time.Time) time.Time {
	restarts, isDown := fleet.Down(pod, worker)
	if !isDown {
		delete(m.downs, pod.Name)
		return time.Time{}
	}
	known, ok := m.downs[pod.Name]
	if !ok || known.restarts != restarts {
		known = down{restarts: restarts, seen: now}
		m.downs[pod.Name] = known
	}
	if heardSince.After(known.seen) {
		return heardSince
	}
	return known.seen
}

// forgetDown drops what is remembered of pods that are gone.
func (m *memory) forgetDown(pods []planner.Pod) {
	if len(m.downs) == 0 {
		return
	}
	still := map[string]down{}
	for _, p := range pods {
		if d, ok := m.downs[p.Name]; ok {
			still[p.Name] = d
		}
	}
	m.downs = still
}
