package planner

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

func (w worker) elsewhere() worker { w.Elsewhere = true; return w }

// A revision may work on another queue or broker than the one before.
func TestARevisionThatWorksElsewhere(t *testing.T) {
	type want struct {
		Actions []string
		Staying int
	}
	surge := func(n int) func(*Fleet) { return func(f *Fleet) { f.Rollout.Surge = Pods(n) } }
	asks := func(n int) func(*Fleet) { return func(f *Fleet) { f.NewestDesired = n } }
	unread := func(f *Fleet) { f.DepthKnown = false }
	paused := func(f *Fleet) { f.Rollout.Paused = true }
	of := func(revision string) func(worker) worker {
		return func(w worker) worker { return w.of(revision).elsewhere() }
	}
	cases := map[string]struct {
		fleet Fleet
		want  want
	}{
		"the old broker is away, and there is no surge: one canary goes beyond it": {
			steady(1, makeWorker("a").busy()).to("r2").with(surge(0)).with(asks(3)).with(unread),
			want{Actions: []string{"create r2"}},
		},
		"nothing waits at the new one": {
			steady(1, makeWorker("a").busy()).to("r2").with(surge(0)).with(unread), want{},
		},
		"the rollout is paused": {
			steady(1, makeWorker("a").busy()).to("r2").with(surge(0)).with(asks(3)).with(unread).with(paused), want{},
		},
		"where there is a surge it bounds the canaries": {
			steady(1, makeWorker("a").busy()).to("r2").with(surge(2)).with(asks(3)).with(unread),
			want{Actions: []string{"create r2", "create r2"}},
		},
		"the new queue asks for more than the old one, and there is no surge: nobody makes room": {
			steady(1, makeWorker("a").idle()).to("r2").with(surge(0)).with(asks(2)),
			want{Actions: []string{"create r2"}},
		},
		"what the new queue asks for beyond the old one has room beside workers that are too many": {
			steady(1, many("w", 2, worker.busy)...).to("r2").with(surge(1)).with(asks(3)),
			want{Actions: []string{"create r2"}},
		},
		"without a surge they have the place of the larger demand, and the canary waits until a busy one has a grant": {
			steady(0, makeWorker("a").busy()).to("r2").with(surge(0)).with(asks(1)), want{},
		},
		"those of neither revision that counts leave": {
			steady(1, makeWorker("a").busy(), makeWorker("x").of("r0").elsewhere().idle()).to("r2").with(asks(1)).with(func(f *Fleet) { f.Tried = true }),
			want{Actions: []string{"grant x Rollout", "create r2"}},
		},
		"they stay while the rollout is paused, and are no part of the fleet": {
			steady(2, makeWorker("a").busy(), makeWorker("x").of("r0").elsewhere().idle()).to("r2").with(paused),
			want{Actions: []string{"create r1"}},
		},
		"those of the newest revision are no part of the fleet either, and stay": {
			steady(1, makeWorker("a").busy(), makeWorker("c").of("r2").elsewhere().unready()).to("r2").with(surge(1)).with(asks(1)),
			want{},
		},
		"old workers that stay, at the old queue, take nobody's place": {
			steady(2, many("old", 2, func(w worker) worker { return w.unseen().elsewhere() })...).published("r2").with(surge(0)),
			want{Actions: []string{"create r2", "create r2"}, Staying: 2},
		},
		"those that work on the same queue do": {
			steady(2, many("old", 2, worker.unseen)...).published("r2").with(surge(0)), want{Staying: 2},
		},
		"those that are to leave give one place after the other": {
			steady(2, many("old", 2, func(w worker) worker { return w.busy().elsewhere() })...).published("r2").with(surge(0)),
			want{Actions: []string{"grant old-1 Rollout", "create r2"}},
		},
		"of the canaries that are too many, those leave that may": {
			steady(1, append(many("c", 2, func(w worker) worker { return of("r2")(w).unready().unseen() }),
				makeWorker("a").busy(), makeWorker("b").of("r2").elsewhere().signalled().idle().unready())...).to("r2").with(surge(1)).with(asks(1)),
			want{Actions: []string{"signal b Rollout"}, Staying: 1},
		},
		"canaries that are too many stay in a pause where no other is available in their place": {
			steady(4, append(many("c", 3, func(w worker) worker { return w.of("r2").idle() }), makeWorker("a").busy())...).to("r2").with(surge(1)).with(paused).with(func(f *Fleet) { f.Finishing = 3 }),
			want{},
		},
		"they leave where others are available": {
			steady(1, append(many("c", 3, func(w worker) worker { return w.of("r2").idle() }), makeWorker("a").busy())...).to("r2").with(surge(1)).with(paused),
			want{Actions: []string{"grant c-2 Rollout", "grant c-1 Rollout"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if diff := cmp.Diff(c.want, want{short(d.Actions), d.Staying}); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, picture(c.fleet))
			}
		})
	}
}

// Live pods are those that nobody has begun to end, and that have not ended.
func TestLive(t *testing.T) {
	for phase, want := range map[Phase]bool{Pending: true, Running: true, Terminating: false, Left: false} {
		if got := makeWorker("a").phase(phase).Live(); got != want {
			t.Errorf("in phase %d it is live: %t, want %t", phase, got, want)
		}
	}
	if !makeWorker("a").granted(contract.ReasonScaleDown, 0).Live() {
		t.Error("a worker that may leave is live until it does")
	}
}
