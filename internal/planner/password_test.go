package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

// TestOldPasswords has workers that were made when the broker's password was another.
func TestOldPasswords(t *testing.T) {
	const rollout = contract.ReasonRollout
	cases := map[string]struct {
		fleet Fleet
		want  []string
	}{
		"who has an old password is replaced first": {
			fleet: steady(2, makeWorker("a").oldPassword().busy(), makeWorker("b").busy()),
			want:  []string{"create r1"},
		},
		"and has a grant once its replacement is available": {
			fleet: steady(2, makeWorker("a").oldPassword().busy(), makeWorker("b").busy(), makeWorker("c")),
			want:  []string{"grant a Rollout"},
		},
		"not before it has been ready for long enough": {
			fleet: steady(2, makeWorker("a").oldPassword(), makeWorker("b").busy(), makeWorker("c").readyFor(time.Second)).minReady(10 * time.Second),
		},
		"the idle one leaves first": {
			fleet: steady(2, makeWorker("a").oldPassword().busy(), makeWorker("b").oldPassword().idle(), makeWorker("c")),
			want:  []string{"grant b Rollout", "create r1"},
		},
		"many are replaced within the surge": {
			fleet: steady(8, many("a", 8, worker.oldPassword)...),
			want:  []string{"create r1", "create r1"},
		},
		"one that is not running is made anew": {
			fleet: steady(1, makeWorker("a").oldPassword().phase(Pending)),
			want:  []string{"delete a", "create r1"},
		},
		"while the queue cannot be read nobody is replaced": {
			fleet: steady(2, many("a", 2, worker.oldPassword)...).with(func(f *Fleet) { f.DepthKnown = false }),
		},
		"a paused rollout replaces nobody": {
			fleet: steady(2, many("a", 2, worker.oldPassword)...).paused(),
		},
		"a grant for it stays": {
			fleet: steady(1, makeWorker("a").busy().oldPassword().granted(rollout, time.Minute), makeWorker("b").busy()),
		},
		"more workers are wanted: who leaves for it does not come back": {
			fleet: steady(2, makeWorker("a").busy().oldPassword().granted(rollout, time.Minute), makeWorker("b").busy()),
			want:  []string{"create r1"},
		},
		"beside a canary the published revision is made anew first": {
			fleet: steady(4, append(busy(3), makeWorker("d").oldPassword().busy(), makeWorker("canary").of("r2").phase(Pending))...).to("r2"),
			want:  []string{"delete canary", "create r1"},
		},
		"another revision that takes over replaces them as all others": {
			fleet: steady(1, makeWorker("old").oldPassword(), makeWorker("new").of("r2")).published("r2"),
			want:  []string{"grant old Rollout"},
		},
		"who knows SIGTERM alone is told of it": {
			fleet: steady(1, makeWorker("a").oldPassword().signalled(), makeWorker("b").signalled()),
			want:  []string{"signal a Rollout"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, short(Plan(c.fleet).Actions)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestWorkOfThoseWithAnOldPasswordIsNoDemand: their grant holds, so that their tasks need no other worker.
func TestWorkOfThoseWithAnOldPasswordIsNoDemand(t *testing.T) {
	f := steady(1)
	for _, reason := range []contract.Reason{contract.ReasonRollout, contract.ReasonNodeDrain} {
		granted := makeWorker("a").busy().granted(reason, time.Minute)
		if !f.Obsolete(granted.Pod) || f.Obsolete(granted.oldPassword().Pod) {
			t.Errorf("%s: Obsolete = %t and %t, want true of the present password and false of an old one",
				reason, f.Obsolete(granted.Pod), f.Obsolete(granted.oldPassword().Pod))
		}
	}
}

// Workers that were made with another content of a Secret or ConfigMap than their revision's give way as those with an old
// password do, and the words say why.
func TestOtherConfig(t *testing.T) {
	other := func(w worker) worker { w.OtherConfig = true; return w }
	f := steady(2, other(makeWorker("a")).idle(), makeWorker("b").busy(), makeWorker("c"))
	actions := Plan(f).Actions
	if len(actions) != 1 || actions[0].Kind != GrantLeave || actions[0].Pod != "a" || actions[0].Why != "a Secret or ConfigMap has changed since it was made; it is idle" {
		t.Errorf("got %+v", actions)
	}
	two := steady(2, other(makeWorker("a")).idle(), makeWorker("b").busy()).paused()
	if actions := Plan(two).Actions; len(actions) > 0 {
		t.Errorf("while the rollout is paused: %+v", actions)
	}
}
