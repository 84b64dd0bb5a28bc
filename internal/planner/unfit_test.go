package planner

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/propertytest"
	"github.com/quickube/qscaler/worker/contract"
)

const noRoom = "no node has room for it as it is recommended"

func TestUnfitPodsAreReplaced(t *testing.T) {
	blind := func(f *Fleet) { f.DepthKnown = false }
	deletion := func(name string) Action { return Action{Kind: DeleteNotRunning, Pod: name, Why: noRoom} }
	creation := func(revision, why string) Action { return Action{Kind: Create, Revision: revision, Why: why} }
	cases := map[string]struct {
		fleet Fleet
		want  []Action
	}{
		"the plan that deletes an unfit pod creates another": {
			fleet: steady(2, makeWorker("a"), makeWorker("b").unfit()),
			want:  []Action{deletion("b"), creation("r1", "the queue asks for 2 workers")},
		},
		"each of two is replaced": {
			fleet: steady(2, makeWorker("a").unfit(), makeWorker("b").unfit()),
			want: []Action{
				deletion("a"), deletion("b"),
				creation("r1", "the queue asks for 2 workers"), creation("r1", "the queue asks for 2 workers"),
			},
		},
		"the queue need not be readable": {
			fleet: steady(1, makeWorker("a").unfit()).with(blind),
			want:  []Action{deletion("a"), creation("r1", "the queue asks for 1 worker")},
		},
		"an unfit pod beyond what the queue asks for is deleted, and nobody else": {
			fleet: steady(1, makeWorker("a").phase(Pending), makeWorker("b").unfit().age(time.Hour+time.Second)),
			want:  []Action{deletion("b")},
		},
		"a worker comes back before another is created": {
			fleet: steady(1, makeWorker("a").unfit(), makeWorker("b").granted(contract.ReasonScaleDown, time.Minute)),
			want:  []Action{deletion("a"), {Kind: WithdrawGrant, Pod: "b", Why: "the queue asks for 1 worker; the worker is needed again"}},
		},
		"an unfit canary is tried again": {
			fleet: steady(1, makeWorker("a"), makeWorker("b").of("r2").unfit()).to("r2").with(func(f *Fleet) { f.Tried = true }),
			want:  []Action{deletion("b"), creation("r2", "revision r2 is tried beside revision r1")},
		},
		"where no pod can be created, the unfit one is deleted all the same": {
			fleet: steady(1, makeWorker("a").unfit()).with(func(f *Fleet) { f.Uncreatable = map[string]string{"r1": "there is no ScalerConfig"} }),
			want:  []Action{deletion("a")},
		},
		"a pod on a node that does not answer is deleted too": {
			fleet: steady(0, makeWorker("a").unfit().unreachable()),
			want:  []Action{deletion("a")},
		},
		"a pod that runs is not unfit": {
			fleet: steady(1, makeWorker("a").unfit().phase(Running)),
		},
		"a pod that is terminating is not deleted again": {
			fleet: steady(0, makeWorker("a").unfit().phase(Terminating)),
		},
		"a pod that has left is none": {
			fleet: steady(0, makeWorker("a").unfit().phase(Left)),
		},
		"a pod that has a grant goes for its leave": {
			fleet: steady(0, makeWorker("a").unfit().granted(contract.ReasonScaleDown, time.Minute)),
			want:  []Action{{Kind: DeleteNotRunning, Pod: "a", Why: "it has a grant (ScaleDown) and is not running"}},
		},
		"the pods of a QWorker that is being deleted go with it": {
			fleet: steady(1, makeWorker("a").unfit()).with(func(f *Fleet) { f.Deleting = true }),
			want:  []Action{{Kind: DeleteNotRunning, Pod: "a", Why: "the QWorker is being deleted"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Plan(c.fleet).Actions); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
}

// What a plan does besides deleting unfit pods is what it would do if they were terminating already.
func TestUnfitPodsAreNoCapacity(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		f.Deleting = false
		f = f.asKnown()
		gone := f
		gone.Pods = slices.Clone(f.Pods)
		var want []Action
		for i, p := range f.Pods {
			if p.unfit() {
				gone.Pods[i].Phase = Terminating
				want = append(want, Action{Kind: DeleteNotRunning, Pod: p.Name, Why: p.Unfit})
			}
		}
		d := Plan(f)
		var deletions, others []Action
		for _, a := range d.Actions {
			if slices.ContainsFunc(f.Pods, func(p Pod) bool { return p.Name == a.Pod && p.unfit() }) {
				deletions = append(deletions, a)
			} else {
				others = append(others, a)
			}
		}
		if diff := cmp.Diff(want, deletions); diff != "" {
			t.Errorf("what becomes of the unfit (-want +got):\n%s", diff)
		}
		rest := Plan(gone)
		if diff := cmp.Diff(rest.Actions, others); diff != "" {
			t.Errorf("what becomes of the others (-want +got):\n%s", diff)
		}
		if d.Publish != rest.Publish || d.Stage != rest.Stage || !d.RecheckAt.Equal(rest.RecheckAt) {
			t.Errorf("%s publishes %q and looks again at %v, without the unfit %s, %q, %v", d.Stage, d.Publish, d.RecheckAt, rest.Stage, rest.Publish, rest.RecheckAt)
		}
	})
}
