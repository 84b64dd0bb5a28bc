package qworker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// reportAbandoned names, once the QWorker is let go, the workers whose tasks nobody could give back. What they held
// stays in their lists, and nobody will look there any more.
func (s *scope) reportAbandoned() {
	if !s.abandons() || s.neverRead() {
		return
	}
	var pods []string
	for _, pod := range slices.Sorted(maps.Keys(s.memory.lost)) {
		if s.memory.lost[pod].settled.IsZero() {
			pods = append(pods, pod)
		}
	}
	if len(pods) == 0 {
		return
	}
	queue := s.qw.Spec.ScaleConfig.Queue
	if main := s.queueRevision(); main != nil {
		queue = main.Queue
	}
	why := "there is no ScalerConfig, and no revision is left that names the broker"
	if err := s.backlog.Last(s.mainKey()).Err; err != nil {
		why = err.Error()
	}
	s.recorder.Eventf(s.qw, nil, corev1.EventTypeWarning, "TasksAbandoned", "Reclaim", "%s", shorten(fmt.Sprintf(
		"%s; what these workers of the queue %s held is left in their processing lists: %s", why, queue, strings.Join(pods, ", "))))
}
