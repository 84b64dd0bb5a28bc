package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A worker that has done a task and ended by itself shows that its revision works, though it was never ready for long.
func TestAWorkerThatHasDoneItsTaskAndEnded(t *testing.T) {
	doneBy := func(revision string, ago time.Duration) func(*Fleet) {
		return func(f *Fleet) { f.Done = map[string]time.Time{revision: t0.Add(-ago)} }
	}
	canary := makeWorker("n").of("r2").readyFor(time.Second)
	cases := map[string]struct {
		fleet   Fleet
		want    []string
		publish string
		level   int
	}{
		"a canary's revision is published": {
			fleet: steady(1, makeWorker("a").busy()).to("r2").minReady(time.Minute).with(doneBy("r2", 0)), publish: "r2",
		},
		"that of another revision publishes nothing": {
			fleet: steady(1, makeWorker("a").busy(), canary.busy()).to("r2").minReady(time.Minute).with(doneBy("r1", 0)),
		},
		"nor does anything while the rollout is paused": {
			fleet: steady(1, makeWorker("a").busy()).to("r2").paused().with(doneBy("r2", 0)),
		},
		"a failure before it holds nothing back": {
			fleet: steady(1, makeWorker("f").failed(3, 2*time.Second)).with(doneBy("r1", time.Second)), want: []string{"create r1"},
		},
		"a failure after it does": {
			fleet: steady(1, makeWorker("f").failed(3, time.Second)).with(doneBy("r1", 2*time.Second)), level: 3,
		},
		"that of another revision ends no backoff": {
			fleet: steady(1, makeWorker("f").failed(3, 2*time.Second)).with(doneBy("r2", time.Second)), level: 3,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if diff := cmp.Diff(c.want, short(d.Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if d.Publish != c.publish || d.BackOff.Level != c.level {
				t.Errorf("publishes %q, backoff of level %d; want %q and %d", d.Publish, d.BackOff.Level, c.publish, c.level)
			}
		})
	}
	t.Run("it proves the published revision", func(t *testing.T) {
		f := steady(0).with(func(f *Fleet) { f.Proven = false }).with(doneBy("r1", 0))
		if !Plan(f).Proven {
			t.Error("it does not")
		}
	})
}
