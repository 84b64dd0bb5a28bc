package qworker

import (
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/planner"
)

func TestTheClockOfANodeMayBeAhead(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := newMemory("uid")
	at := func(now, ready, failed time.Time) planner.Pod {
		pods := []planner.Pod{{Name: "a", ReadyChanged: ready, Failure: planner.Failure{At: failed}}, {Name: "b"}}
		m.correctSkew(pods, now)
		if !pods[1].ReadyChanged.IsZero() || !pods[1].Failure.At.IsZero() {
			t.Errorf("a pod that says nothing of time was changed: %+v", pods[1])
		}
		return pods[0]
	}
	steps := []struct {
		name                  string
		now, ready, failed    time.Time
		wantReady, wantFailed time.Time
	}{
		{"it is right", t0, t0.Add(-time.Minute), time.Time{}, t0.Add(-time.Minute), time.Time{}},
		{"it is an hour ahead", t0, t0.Add(time.Hour), t0.Add(time.Hour + time.Second), t0, t0},
		{"a moment later", t0.Add(time.Second), t0.Add(time.Hour), t0.Add(time.Hour + time.Second), t0, t0},
		{"once that time has come", t0.Add(2 * time.Hour), t0.Add(time.Hour), t0.Add(time.Hour + time.Second), t0, t0},
		{"when it changes again", t0.Add(2 * time.Hour), t0.Add(3 * time.Hour), time.Time{}, t0.Add(2 * time.Hour), time.Time{}},
	}
	for _, s := range steps {
		got := at(s.now, s.ready, s.failed)
		if !got.ReadyChanged.Equal(s.wantReady) || !got.Failure.At.Equal(s.wantFailed) {
			t.Errorf("%s: ready since %s, failed at %s; want %s and %s", s.name, got.ReadyChanged, got.Failure.At, s.wantReady, s.wantFailed)
		}
	}
}
