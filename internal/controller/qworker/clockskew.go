package qworker

import (
	"time"

	"github.com/quickube/qscaler/internal/planner"
)

// podTime is a time that a pod's status has, by the clock of its node.
type podTime struct {
	pod  string
	unix int64
}

// correctSkew takes times of pods that have yet to come for when they were first seen. The clock of their node is ahead, and
// an hour of that must not keep a worker that is ready from being available, or the next one from being created.
func (m *memory) correctSkew(pods []planner.Pod, now time.Time) {
	skewed := map[podTime]time.Time{}
	set := func(pod string, at *time.Time) {
		c := podTime{pod: pod, unix: at.Unix()}
		seen, known := m.skewed[c]
		switch {
		case known: // also once it has come
		case at.After(now):
			seen = now
		default:
			return
		}
		skewed[c], *at = seen, seen
	}
	for i := range pods {
		set(pods[i].Name, &pods[i].ReadyChanged)
		set(pods[i].Name, &pods[i].Failure.At)
		set(pods[i].Name, &pods[i].EndedWell)
	}
	m.skewed = skewed
}
