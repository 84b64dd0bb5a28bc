package qworker

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A worker counts as down from when that was first told, and not in a time in which nobody could tell that it runs again.
func TestSinceWhenAWorkerIsDown(t *testing.T) {
	began := time.Now()
	at := func(minutes int) time.Time { return began.Add(time.Duration(minutes) * time.Minute) }
	type look struct {
		minute, restarts int
		runs             bool
		heard            time.Time
		want             time.Time
	}
	for name, looks := range map[string][]look{
		"it runs":                       {{minute: 1, runs: true}},
		"from the first look on":        {{minute: 1, want: at(1)}, {minute: 3, want: at(1)}},
		"anew after a restart":          {{minute: 1, want: at(1)}, {minute: 2, restarts: 1, want: at(2)}, {minute: 3, restarts: 1, want: at(2)}},
		"anew after it was seen to run": {{minute: 1, want: at(1)}, {minute: 2, runs: true}, {minute: 3, want: at(3)}},
		"while nobody tells":            {{minute: 1, want: at(1)}, {minute: 2, heard: at(2), want: at(2)}, {minute: 3, heard: at(3), want: at(3)}},
		"from the end of the silence":   {{minute: 1, want: at(1)}, {minute: 4, heard: at(3), want: at(3)}, {minute: 5, heard: at(3), want: at(3)}},
		"a silence before it was down":  {{minute: 4, heard: at(1), want: at(4)}, {minute: 5, heard: at(1), want: at(4)}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory("uid")
			for _, l := range looks {
				state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
				if l.runs {
					state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
				}
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
					{Name: "worker", RestartCount: int32(l.restarts), State: state},
				}}}
				if got := m.downSince(pod, "worker", at(l.minute), l.heard); !got.Equal(l.want) {
					t.Errorf("in minute %d: since %s, want %s", l.minute, got.Sub(began), l.want.Sub(began))
				}
			}
		})
	}
}
