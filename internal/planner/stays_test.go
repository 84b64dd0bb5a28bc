package planner

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

// unseen is a worker that knows SIGTERM alone, and that may be at a task that nobody sees.
func (w worker) unseen() worker { w.Signalled, w.Stays = true, true; return w }

// TestWhoMayBeAtAnUnseenTaskStays has workers that would be told by SIGTERM to end, whatever they do.
func TestWhoMayBeAtAnUnseenTaskStays(t *testing.T) {
	type want struct {
		Actions []string
		Staying int
	}
	surge := func(n int) func(*Fleet) { return func(f *Fleet) { f.Rollout.Surge = Pods(n) } }
	cases := map[string]struct {
		fleet Fleet
		want  want
	}{
		"they are too many": {
			steady(1, many("w", 3, worker.unseen)...), want{Staying: 2},
		},
		"one that is seen leaves": {
			steady(1, makeWorker("a").unseen(), makeWorker("b").signalled().idle()), want{Actions: []string{"signal b ScaleDown"}},
		},
		"of those that are too many no more are told of than would leave": {
			steady(2, append(many("w", 3, worker.unseen), makeWorker("b").signalled().idle())...), want{Actions: []string{"signal b ScaleDown"}, Staying: 1},
		},
		"they are not reported to run": {
			steady(0, makeWorker("a").phase(Pending).unseen()), want{Staying: 1},
		},
		"another revision takes over": {
			steady(1, makeWorker("old").unseen(), makeWorker("new").of("r2").signalled()).published("r2"), want{Staying: 1},
		},
		"their node is to go": {
			steady(1, makeWorker("a").unseen().nodeLeaving(), makeWorker("b").signalled()), want{Staying: 1},
		},
		"they got a grant before the mode was Signal": {
			steady(0, makeWorker("a").unseen().granted(contract.ReasonScaleDown, 0)), want{},
		},
		"one would make room for a canary": {
			steady(1, makeWorker("a").unseen()).to("r2").with(surge(0)), want{Staying: 1},
		},
		"they do not keep a canary from being tried": {
			steady(1, many("w", 3, worker.unseen)...).to("r2").with(surge(1)), want{Actions: []string{"create r2"}, Staying: 2},
		},
		"the QWorker is being deleted": {
			steady(0, makeWorker("a").unseen()).with(func(f *Fleet) { f.Deleting = true }), want{Actions: []string{"signal a Delete"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if diff := cmp.Diff(c.want, want{short(d.Actions), d.Staying}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
