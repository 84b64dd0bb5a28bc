package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/propertytest"
	"github.com/quickube/qscaler/worker/contract"
)

func (f Fleet) withheld() Fleet { f.Withhold = true; return f }

// What a plan does before a fresh reading is there, and how many it would let go.
func TestWithoutAFreshReadingNobodyIsLetGo(t *testing.T) {
	deleting := func(f *Fleet) { f.Deleting = true }
	cases := map[string]struct {
		fleet    Fleet
		want     []string
		withheld int
	}{
		"too many":                        {steady(1, makeWorker("a").idle(), makeWorker("b").idle(), makeWorker("c").idle()), nil, 2},
		"too many that do not run":        {steady(1, makeWorker("a").idle(), makeWorker("b").phase(Pending)), nil, 1},
		"too few":                         {steady(2, makeWorker("a").idle()), []string{"create r1"}, 0},
		"demand has returned":             {steady(2, makeWorker("a").idle(), makeWorker("b").granted(contract.ReasonScaleDown, 0)), []string{"withdraw b"}, 0},
		"a grant that is of no use":       {steady(1, makeWorker("a").idle(), makeWorker("b").phase(Pending).granted(contract.ReasonScaleDown, 0)), nil, 1},
		"a grant that was held too long":  {steady(1, makeWorker("a").idle(), makeWorker("b").busy().limited(time.Minute).granted(contract.ReasonScaleDown, time.Hour)), []string{"delete b"}, 0},
		"a grant that means SIGTERM":      {steady(1, makeWorker("a").idle(), makeWorker("b").signalled().granted(contract.ReasonScaleDown, 0)), nil, 1},
		"one has left, another may leave": {steady(1, makeWorker("a").idle(), makeWorker("b").idle(), makeWorker("c").phase(Left).settled()), []string{"remove c"}, 1},
		"the surge of a rollout comes, and nobody goes for it": {
			steady(4, many("w", 4, worker.idle)...).with(func(f *Fleet) {
				f.Published, f.Newest = "r2", "r2"
				f.Pods = append(f.Pods[1:], makeWorker("n").of("r2").Pod)
				f.Rollout.Surge, f.Rollout.Unavailable = Pods(2), Pods(1)
			}), []string{"create r2", "create r2"}, 1,
		},
		"a canary has no place before somebody leaves it": {steady(2, many("w", 2, worker.idle)...).to("r2").with(func(f *Fleet) { f.Rollout.Surge = Pods(0) }), nil, 1},
		"a node is to go":                             {steady(1, makeWorker("a").idle().nodeLeaving(), makeWorker("b").idle()), nil, 1},
		"one that cannot run keeps its place":         {steady(1, makeWorker("a").unfit()), nil, 1},
		"the QWorker is deleted: they get grants":     {steady(2, makeWorker("a").busy(), makeWorker("b").idle()).with(deleting), []string{"grant a Delete", "grant b Delete"}, 0},
		"the QWorker is deleted: some may have begun": {steady(2, makeWorker("a").busy(), makeWorker("b").phase(Pending)).with(deleting), []string{"grant a Delete"}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet.withheld())
			if diff := cmp.Diff(c.want, short(d.Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if d.Withheld != c.withheld {
				t.Errorf("%d are withheld, want %d", d.Withheld, c.withheld)
			}
		})
	}
}

// An excess stands from when it was seen, not from when somebody may leave for it.
func TestAnExcessIsNotedWhileDeparturesAreWithheld(t *testing.T) {
	f := steady(1, makeWorker("a").idle(), makeWorker("b").idle()).withheld()
	if d := Plan(f); !d.ExcessSince.Equal(t0) {
		t.Errorf("the excess stands since %s, want %s", d.ExcessSince, t0)
	}
}

// A revision that is published because others are let go is not before they are.
func TestARevisionIsNotPublishedWhileDeparturesAreWithheld(t *testing.T) {
	d := Decision{Publish: "r2", Withheld: 1}
	if got := d.PublishedAfter(nil); got != "" {
		t.Errorf("%s is published", got)
	}
	d.Actions = []Action{{Kind: Create, Revision: "r2"}}
	if got := d.PublishedAfter(d.Actions); got != "r2" {
		t.Errorf("pods were told that r2 is published, and %q is", got)
	}
}

// TestWithholdProperties is what holds of every plan that is made before a fresh reading is there.
func TestWithholdProperties(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		f := anyFleet(t)
		free, d := Plan(f), Plan(f.withheld())
		t.Logf("%s\nactions: %v\nwithout withholding: %v", picture(f), d.Actions, free.Actions)
		checkInvariants(t, f.withheld(), d)
		checkLooks(t, f.withheld(), d)
		for _, a := range d.Actions {
			if a.Kind.LetsGo() && (!f.Deleting || a.Kind == DeleteNotRunning) {
				t.Errorf("before the fresh reading: %v", a)
			}
		}
		if d.Withheld == 0 {
			if diff := cmp.Diff(short(free.Actions), short(d.Actions)); diff != "" {
				t.Errorf("nobody is withheld, and the plan is another (-without +with):\n%s", diff)
			}
		}
		if !d.ExcessSince.Equal(free.ExcessSince) && d.Withheld == 0 {
			t.Errorf("the excess stands since %s, want %s", d.ExcessSince, free.ExcessSince)
		}
	})
}
