package planner

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPortions creates fleets of any size, look by look.
func TestPortions(t *testing.T) {
	surge := func(n int) func(*Fleet) {
		return func(f *Fleet) { f.Rollout.Surge = Pods(n) }
	}
	cases := map[string]struct {
		fleet Fleet
		// created has how many pods each plan creates, until there are enough.
		created []int
	}{
		"as many as a portion":         {steady(Portion), []int{Portion}},
		"one more":                     {steady(Portion + 1), []int{Portion, 1}},
		"several portions":             {steady(2500), []int{Portion, Portion, 500}},
		"some are there":               {steady(Portion+10, many("w", 20, worker.idle)...), []int{Portion - 10}},
		"canaries, on top of a fleet":  {steady(1500).to("r2").with(surge(1200)).with(func(f *Fleet) { f.Tried = true }), []int{Portion, Portion, 700}},
		"a surge beyond all bounds":    {steady(1, makeWorker("a").idle()).to("r2").with(surge(1 << 31)).with(func(f *Fleet) { f.Rollout.Paused = true }), nil},
		"beside grants that come back": {steady(1500, many("w", 600, func(w worker) worker { return w.granted("ScaleDown", 0) })...), []int{900}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var created []int
			looks := 0
			for f := c.fleet; ; looks++ {
				d := Plan(f)
				n := 0
				for _, a := range d.Actions {
					if a.Kind == Create {
						n++
					}
				}
				if n > 0 {
					created = append(created, n)
				}
				if !d.More {
					break
				}
				f = carriedOut(f, d)
			}
			if diff := cmp.Diff(c.created, created); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if want := max(len(c.created)-1, 0); looks != want {
				t.Errorf("%d more looks are asked for, want %d", looks, want)
			}
		})
	}
}
