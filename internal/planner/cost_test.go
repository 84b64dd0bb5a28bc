package planner

import (
	"fmt"
	"testing"
)

// idleFleet is a fleet of n idle workers that is as it should be.
func idleFleet(n int) Fleet { return steady(n, many("pod", n, worker.idle)...) }

// What a plan of a steady fleet allocates does not grow with each pod: an operator plans all of its QWorkers again
// and again, and mostly there is nothing to do.
func TestWhatAPlanAllocates(t *testing.T) {
	// Some slices are grown by doubling: a few allocations more for each tenfold.
	const most = 60
	for _, size := range []int{0, 100, 1000, 10000} {
		fleet := idleFleet(size)
		if d := Plan(fleet); len(d.Actions) > 0 {
			t.Fatalf("a steady fleet of %d needs %v", size, d.Actions)
		}
		const runs = 10
		if allocations := testing.AllocsPerRun(runs, func() { Plan(fleet) }); allocations > most {
			t.Errorf("a plan of %d pods allocates %.0f times, want at most %d", size, allocations, most)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, size := range []int{100, 1000, 10000} {
		for name, desired := range map[string]int{"steady": size, "half too many": size / 2, "twice as many": 2 * size} {
			b.Run(fmt.Sprintf("%s/pods=%d", name, size), func(b *testing.B) {
				fleet := idleFleet(size)
				fleet.Desired = desired
				b.ReportAllocs()
				for b.Loop() {
					Plan(fleet)
				}
			})
		}
	}
}
