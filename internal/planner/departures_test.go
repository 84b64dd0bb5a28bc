package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

func TestDepartures(t *testing.T) {
	const scaleDown = contract.ReasonScaleDown
	cases := map[string]struct {
		fleet Fleet
		want  []string
	}{
		"a worker that knows SIGTERM alone is signalled": {
			fleet: steady(1, makeWorker("a").signalled().busy(), makeWorker("b").signalled().idle()),
			want:  []string{"signal b ScaleDown"},
		},
		"a signal cannot be taken back: who is terminating is replaced": {
			fleet: steady(1, makeWorker("a").signalled().phase(Terminating)),
			want:  []string{"create r1"},
		},
		"turning to Signal ends a grant that nobody reads": {
			fleet: steady(1, makeWorker("a").signalled().granted(scaleDown, time.Hour)),
			want:  []string{"signal a ScaleDown", "create r1"},
		},
		"while the queue cannot be read nobody is signalled": {
			fleet: steady(0, makeWorker("a").signalled().idle()).with(func(f *Fleet) { f.DepthKnown = false }),
		},
		"a rollout signals too": {
			fleet: steady(1, makeWorker("a").signalled(), makeWorker("n").of("r2").signalled()).published("r2"),
			want:  []string{"signal a Rollout"},
		},
		"a deletion signals too": {
			fleet: steady(1, makeWorker("a").signalled()).with(func(f *Fleet) { f.Deleting = true }),
			want:  []string{"signal a Delete"},
		},
		"a sidecar that does not end is cut short once its worker has left": {
			fleet: steady(0, func() worker { w := makeWorker("a").phase(Terminating); w.Leftover = true; return w }()),
			want:  []string{"remove a"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, short(Plan(c.fleet).Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
}
