package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

func TestPlan(t *testing.T) {
	const (
		scaleDown = contract.ReasonScaleDown
		rollout   = contract.ReasonRollout
	)
	cases := map[string]struct {
		fleet Fleet
		want  []string
	}{
		"an idle queue without workers needs nothing": {
			fleet: steady(0),
		},
		"missing workers are created": {
			fleet: steady(3, makeWorker("a")),
			want:  []string{"create r1", "create r1"},
		},
		"as many as desired need nothing": {
			fleet: steady(1, makeWorker("a").busy()),
		},
		"pods that have a grant, terminate or have left are no capacity, and are no excess": {
			fleet: steady(1,
				makeWorker("a").granted(contract.ReasonDelete, 0),
				makeWorker("b").phase(Terminating),
				makeWorker("c").phase(Left)),
			want: []string{"create r1"},
		},
		"a pending pod is capacity: nothing is created twice for it": {
			fleet: steady(1, makeWorker("a").phase(Pending)),
		},
		"the excess leaves: first what is not running, then the idle": {
			fleet: steady(1,
				makeWorker("busy").busy(), makeWorker("idle").idle(), makeWorker("pending").phase(Pending)),
			want: []string{"delete pending", "grant idle ScaleDown"},
		},
		"of three that are not running one is too many": {
			fleet: steady(2, makeWorker("a").phase(Pending).age(3*time.Hour), makeWorker("b").phase(Pending).age(time.Hour), makeWorker("c").phase(Pending).age(2*time.Hour)),
			want:  []string{"delete b"},
		},
		"of equals the newest leaves first": {
			fleet: steady(1, makeWorker("old").age(2*time.Hour), makeWorker("new").age(time.Hour)),
			want:  []string{"grant new ScaleDown"},
		},
		"unknown is not idle": {
			fleet: steady(1, makeWorker("unknown").age(time.Minute), makeWorker("idle").idle()),
			want:  []string{"grant idle ScaleDown"},
		},
		"a worker known to be busy is spared for 30 s": {
			fleet: steady(1, makeWorker("a").busy(), makeWorker("b").busy()),
		},
		"after 30 s of excess busy workers get grants too": {
			fleet: func() Fleet {
				f := steady(1, makeWorker("a").busy(), makeWorker("b").busy().age(time.Minute))
				f.ExcessSince = t0.Add(-30 * time.Second)
				return f
			}(),
			want: []string{"grant b ScaleDown"},
		},
		"a failed read is not zero: nobody leaves, and a vanished worker is replaced": {
			fleet: func() Fleet {
				f := steady(2, makeWorker("a").idle(), makeWorker("b").idle(), makeWorker("c").idle())
				f.DepthKnown = false
				return f
			}(),
		},
		"grants are withdrawn before pods are created, busy ones first": {
			fleet: steady(3,
				makeWorker("a"),
				makeWorker("idle").idle().granted(scaleDown, time.Second),
				makeWorker("busy").busy().granted(scaleDown, time.Minute)),
			want: []string{"withdraw busy", "withdraw idle"},
		},
		"a grant for deletion is never withdrawn": {
			fleet: steady(1, makeWorker("a").granted(contract.ReasonDelete, 0)),
			want:  []string{"create r1"},
		},
		"while the queue cannot be read no grant is withdrawn": {
			fleet: func() Fleet {
				f := steady(1, makeWorker("a").granted(scaleDown, 0))
				f.DepthKnown = false
				return f
			}(),
			want: []string{"create r1"},
		},
		"a granted worker that is not running is deleted": {
			fleet: steady(0, makeWorker("a").phase(Pending).granted(scaleDown, 0)),
			want:  []string{"delete a"},
		},
		"a grant is held for no longer than maxTaskDuration": {
			fleet: func() Fleet {
				stepped := makeWorker("clock set forward").granted(scaleDown, 2*time.Hour).limited(time.Hour)
				stepped.Grant.Seen = t0.Add(-time.Minute)
				back := makeWorker("clock set back").granted(scaleDown, time.Minute).limited(time.Hour)
				back.Grant.Seen = t0.Add(-time.Hour)
				return steady(0, back,
					makeWorker("over").granted(scaleDown, time.Hour).limited(time.Hour),
					makeWorker("within").granted(scaleDown, time.Minute).limited(time.Hour),
					makeWorker("longer").granted(scaleDown, time.Hour).limited(2*time.Hour), stepped)
			}(),
			want: []string{"delete over"},
		},
		"what has left is removed once its tasks are back, but for the last three failures": {
			fleet: steady(0,
				makeWorker("done").phase(Left).settled(), makeWorker("unsettled").phase(Left),
				makeWorker("f1").failed(0, 4*time.Minute), makeWorker("f2").failed(0, 3*time.Minute),
				makeWorker("f3").failed(0, 2*time.Minute), makeWorker("f4").failed(0, time.Minute)),
			want: []string{"remove done", "remove f1"},
		},
		"the failure that a back-off is read from stays, whatever fails after it": {
			fleet: steady(0,
				makeWorker("crash").failed(5, 2*time.Minute), makeWorker("of another").of("r0").failed(1, time.Minute),
				makeWorker("e1").failed(0, 90*time.Second), makeWorker("e2").failed(0, time.Minute),
				makeWorker("e3").failed(0, 30*time.Second), makeWorker("e4").failed(0, time.Second)),
			want: []string{"remove e1"},
		},
		"of two failures as bad the later one stays": {
			fleet: steady(0,
				makeWorker("later").failed(5, 2*time.Minute), makeWorker("earlier").failed(5, 3*time.Minute),
				makeWorker("e1").failed(0, time.Minute), makeWorker("e2").failed(0, 30*time.Second), makeWorker("e3").failed(0, time.Second)),
			want: []string{"remove earlier"},
		},
		"a failure whose back-off is forgotten goes like the others": {
			fleet: steady(0,
				makeWorker("old").failed(1, time.Hour),
				makeWorker("e1").failed(0, time.Minute), makeWorker("e2").failed(0, 30*time.Second), makeWorker("e3").failed(0, time.Second)),
			want: []string{"remove old"},
		},
		"a failed pod whose sidecar still runs is not kept: its tasks could not be reclaimed": {
			fleet: steady(0, func() worker { w := makeWorker("f").failed(1, time.Hour); w.Ended = false; return w }()),
			want:  []string{"remove f"},
		},
		"a grant of which nobody knows since when is never overdue": {
			fleet: func() Fleet {
				w := makeWorker("by-hand")
				w.Grant = Grant{Reason: "Maintenance"}
				return steady(0, w.limited(time.Hour))
			}(),
		},
		"a worker that is not ready because it is busy does not leave before an idle one": {
			fleet: func() Fleet {
				busy := makeWorker("busy").busy()
				busy.Ready = false
				return steady(1, busy, makeWorker("idle").idle(), makeWorker("other").busy())
			}(),
			want: []string{"grant idle ScaleDown"},
		},
		"a change that was corrected before it worked takes nobody's place": {
			fleet: func() Fleet {
				f := steady(3, append(many("a", 2, worker.busy), makeWorker("broken").of("r2").phase(Pending))...)
				f.Newest = "r3"
				return f
			}(),
			want: []string{"delete broken", "create r1", "create r3"},
		},
		"an old back-off is forgotten": {
			fleet: func() Fleet {
				return steady(2, makeWorker("f").failed(7, 72*time.Hour))
			}(),
			want: []string{"create r1", "create r1"},
		},
		"a crash backs off": {
			fleet: steady(1, makeWorker("f").failed(1, 9*time.Second)),
		},
		"a back-off ends": {
			fleet: steady(1, makeWorker("f").failed(1, 10*time.Second)),
			want:  []string{"create r1"},
		},
		"the back-off doubles": {
			fleet: steady(1, makeWorker("f").failed(3, 39*time.Second)),
		},
		"the back-off stops at 10 min": {
			fleet: steady(1, makeWorker("f").failed(30, 10*time.Minute)),
			want:  []string{"create r1"},
		},
		"a QWorker that is deleted lets everyone finish": {
			fleet: func() Fleet {
				f := steady(5,
					makeWorker("a").busy(), makeWorker("b").phase(Pending),
					makeWorker("c").granted(scaleDown, 0), makeWorker("f").failed(1, 0))
				f.Deleting, f.DepthKnown = true, false
				return f
			}(),
			want: []string{"remove f", "grant a Delete", "delete b"},
		},
		"a new revision is tried within the surge of 25 %": {
			fleet: func() Fleet {
				f := steady(5, many("a", 5, worker.busy)...)
				f.Newest = "r2"
				return f
			}(),
			want: []string{"create r2", "create r2"},
		},
		"while a canary is not ready the fleet scales on the published revision": {
			fleet: func() Fleet {
				f := steady(3, append(many("a", 1, worker.busy), makeWorker("canary").of("r2").phase(Pending))...)
				f.Newest = "r2"
				return f
			}(),
			want: []string{"create r1", "create r1"},
		},
		"a ready canary is published, and nobody has a grant yet": {
			fleet: func() Fleet {
				f := steady(2, append(many("a", 2, worker.busy), makeWorker("canary").of("r2"))...)
				f.Newest = "r2"
				return f
			}(),
		},
		"once published, as many old ones have a grant as new ones are ready, idle ones first": {
			fleet: func() Fleet {
				f := steady(3, append(many("a", 2, worker.busy), makeWorker("i").idle(), makeWorker("n").of("r2"))...)
				f.Published, f.Newest = "r2", "r2"
				return f
			}(),
			want: []string{"grant i Rollout", "create r2"},
		},
		"busy ones leave a rollout after their task": {
			fleet: func() Fleet {
				f := steady(1, makeWorker("a").busy(), makeWorker("n").of("r2"))
				f.Published, f.Newest = "r2", "r2"
				return f
			}(),
			want: []string{"grant a Rollout"},
		},
		"a rollback withdraws the grants of the revision that returns": {
			fleet: func() Fleet {
				f := steady(2,
					makeWorker("a").granted(rollout, 0), makeWorker("b").granted(rollout, 0),
					makeWorker("n").of("r2"), makeWorker("m").of("r2"))
				return f
			}(),
			want: []string{"withdraw a", "grant m Rollout", "withdraw b", "grant n Rollout"},
		},
		"a canary that is not wanted any more is deleted": {
			fleet: steady(2, append(many("a", 2, worker.busy), makeWorker("canary").of("r2").phase(Pending))...),
			want:  []string{"delete canary"},
		},
		"an unproven revision has nothing to protect": {
			fleet: func() Fleet {
				f := steady(1, makeWorker("broken").phase(Pending))
				f.Proven, f.Newest = false, "r2"
				return f
			}(),
			want: []string{"delete broken", "create r2"},
		},
		"a wrong broker can be corrected: a canary is tried though the queue cannot be read": {
			fleet: func() Fleet {
				f := steady(1, makeWorker("a"))
				f.DepthKnown, f.Newest = false, "r2"
				return f
			}(),
			want: []string{"create r2"},
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

func TestPublish(t *testing.T) {
	canaryReady := steady(1, makeWorker("a"), makeWorker("n").of("r2"))
	canaryReady.Newest = "r2"
	canaryPending := steady(1, makeWorker("a"), makeWorker("n").of("r2").phase(Pending))
	canaryPending.Newest = "r2"
	first := Fleet{Now: t0, Desired: 1, DepthKnown: true, Newest: "r1"}
	empty := steady(0, makeWorker("a").granted(contract.ReasonScaleDown, 0))
	empty.Newest = "r2"
	unproven := steady(1, makeWorker("a").phase(Pending))
	unproven.Newest, unproven.Proven = "r2", false

	// young is a fleet that nobody has proven yet, and in which a worker must be ready for 10 s.
	young := func(w worker) Fleet {
		return steady(1, w.readyFor(time.Second)).to("r2").minReady(10 * time.Second).with(func(f *Fleet) { f.Proven = false })
	}
	pendingAndReady := makeWorker("a")
	pendingAndReady.Phase = Pending

	cases := map[string]struct {
		fleet Fleet
		want  string
	}{
		"a worker that has just become ready is about to prove its revision":    {young(makeWorker("a")), ""},
		"one that is not ready is not":                                          {young(makeWorker("a").unready()), "r2"},
		"nor is one whose worker container does not run, whatever the pod says": {young(pendingAndReady), "r2"},
		"nor is one that leaves":                                                {young(makeWorker("a").granted(contract.ReasonScaleDown, 0)), "r2"},
		"nor is one of another revision than the published":                     {young(makeWorker("a").of("r0")), "r2"},
		"the first revision is published at once":                               {first, "r1"},
		"a ready canary is published":                                           {canaryReady, "r2"},
		"a canary that is not ready is not":                                     {canaryPending, ""},
		"with no pods that stay, there is nothing to prove it to":               {empty, "r2"},
		"an unproven revision gives way at once":                                {unproven, "r2"},
		"what is published stays":                                               {steady(1, makeWorker("a")), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Plan(c.fleet).Publish; got != c.want {
				t.Errorf("Publish = %q, want %q", got, c.want)
			}
		})
	}
}

// A drain must not wait for something else to happen.
func TestAReplacementIsAwaitedWhateverTheStage(t *testing.T) {
	drained := steady(2, makeWorker("a").busy().nodeLeaving(), makeWorker("b").busy(), makeWorker("c").readyFor(4*time.Second)).minReady(10 * time.Second)
	want := t0.Add(6 * time.Second)
	for name, f := range map[string]Fleet{"settled": drained, "paused": drained.paused()} {
		if d := Plan(f); !d.RecheckAt.Equal(want) || len(d.Actions) > 0 {
			t.Errorf("%s: looks again at %v, and does %v; want %v, and nothing before", name, d.RecheckAt, d.Actions, want)
		}
	}
	drained.Now = want
	if got := short(Plan(drained).Actions); len(got) != 1 || got[0] != "grant a NodeDrain" {
		t.Errorf("then it does %v", got)
	}
}

func TestWake(t *testing.T) {
	spared := steady(1, makeWorker("a").busy(), makeWorker("b").busy())
	bounded := steady(0, makeWorker("a").granted(contract.ReasonScaleDown, time.Minute).limited(time.Hour))

	cases := map[string]struct {
		fleet Fleet
		want  time.Time
	}{
		"a steady fleet sleeps":             {steady(1, makeWorker("a")), time.Time{}},
		"a spared worker is looked at anew": {spared, t0.Add(30 * time.Second)},
		"a grant is looked at when it ends": {bounded, t0.Add(59 * time.Minute)},
		"a back-off ends":                   {steady(1, makeWorker("f").failed(2, 5*time.Second)), t0.Add(15 * time.Second)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Plan(c.fleet).RecheckAt; !got.Equal(c.want) {
				t.Errorf("RecheckAt = %v, want %v", got, c.want)
			}
		})
	}
}
