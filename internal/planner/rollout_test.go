package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

func (f Fleet) surge(a Amount) Fleet       { f.Rollout.Surge = a; return f }
func (f Fleet) unavailable(a Amount) Fleet { f.Rollout.Unavailable = a; return f }
func (f Fleet) minReady(d time.Duration) Fleet {
	f.Rollout.MinReady = d
	return f
}
func (f Fleet) paused() Fleet { f.Rollout.Paused = true; return f }

func busy(n int) []worker { return many("a", n, worker.busy) }

func TestRollout(t *testing.T) {
	const rollout = contract.ReasonRollout
	canary := makeWorker("canary").of("r2")
	cases := map[string]struct {
		fleet   Fleet
		want    []string
		publish string
	}{
		"the surge is a number": {
			fleet: steady(5, busy(5)...).to("r2").surge(Pods(3)),
			want:  []string{"create r2", "create r2", "create r2"},
		},
		"the surge is a percentage, rounded up": {
			fleet: steady(5, busy(5)...).to("r2").surge(Percent(50)),
			want:  []string{"create r2", "create r2", "create r2"},
		},
		"without surge one idle worker makes room for the canary": {
			fleet: steady(3, append(busy(2), makeWorker("i").idle())...).to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want:  []string{"grant i Rollout", "create r2"},
		},
		"without surge nobody makes room while a worker is missing anyway": {
			fleet: steady(3, append(busy(2), makeWorker("i").phase(Pending))...).to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want:  []string{"delete i", "create r2"},
		},
		"without surge one too many leaves, and one more makes room: the one is excess, the other the rollout's budget": {
			fleet: steady(3, many("i", 4, worker.idle)...).to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want:  []string{"grant i-3 ScaleDown", "grant i-2 Rollout", "create r2"},
		},
		"without surge nobody whose node stays comes back, to be the next who makes room": {
			fleet: steady(1, makeWorker("x").of("r0").unready(), makeWorker("y").of("r0").unready(), makeWorker("back").granted(contract.ReasonNodeDrain, 0)).
				to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want: []string{"grant x ScaleDown", "grant y Rollout", "create r2"},
		},
		"without surge a canary that is there has its place, and one of the fleet is too many": {
			fleet: steady(3, append(many("i", 3, worker.idle), canary.phase(Pending))...).to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want:  []string{"grant i-2 ScaleDown"},
		},
		"without surge nobody who is needed makes room, but one who is not ready": {
			fleet: steady(2, makeWorker("a").idle(), makeWorker("b").unready().busy()).to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want:  []string{"grant b Rollout", "create r2"},
		},
		"without surge the canary has one place, and the fleet the others": {
			fleet: steady(4, append(busy(2), canary.phase(Pending))...).to("r2").surge(Pods(0)).unavailable(Pods(1)),
			want:  []string{"create r1"},
		},
		"both of 0 by rounding is one unavailable": {
			fleet: steady(2, busy(2)...).to("r2").surge(Percent(0)).unavailable(Percent(25)),
			want:  []string{"grant a-1 Rollout", "create r2"},
		},
		"a ready canary must stay ready": {
			fleet: steady(2, append(busy(2), canary.readyFor(9*time.Second))...).to("r2").minReady(10 * time.Second),
		},
		"a canary that stayed ready is published": {
			fleet:   steady(2, append(busy(2), canary.readyFor(10*time.Second))...).to("r2").minReady(10 * time.Second),
			publish: "r2",
		},
		"while rolling, a new pod counts once it has stayed ready": {
			fleet: steady(1, makeWorker("a"), canary.readyFor(9*time.Second)).published("r2").minReady(10 * time.Second),
		},
		"unavailability lets old ones leave before new ones are there": {
			fleet: steady(4, append(busy(4), canary)...).published("r2").unavailable(Percent(50)),
			want:  []string{"grant a-3 Rollout", "grant a-2 Rollout", "grant a-1 Rollout", "create r2", "create r2", "create r2"},
		},
		"at maxReplicas the surge goes beyond": {
			fleet: steady(10, busy(10)...).to("r2"),
			want:  []string{"create r2", "create r2", "create r2"},
		},
		"a scale-up in a rollout is of the newest revision": {
			fleet: steady(6, append(busy(2), canary)...).published("r2"),
			want:  []string{"create r2", "create r2", "create r2", "create r2", "create r2"},
		},
		"a scale-down in a rollout takes the old ones": {
			fleet: steady(2, append(many("a", 2, worker.idle), canary, makeWorker("m").of("r2"))...).published("r2"),
			want:  []string{"grant a-1 Rollout", "grant a-0 Rollout"},
		},
		"unready workers that may be at a task leave one for one": {
			fleet: steady(4, append(many("a", 4, worker.unready), canary)...).published("r2"),
			want:  []string{"grant a-3 Rollout", "create r2"},
		},
		"and none of them before another one is available": {
			fleet: steady(4, append(many("a", 4, worker.unready), canary.unready())...).published("r2"),
		},
		"unready workers that are known to be idle leave at once": {
			fleet: steady(2, append(many("a", 2, func(w worker) worker { return w.unready().idle() }), canary)...).published("r2"),
			want:  []string{"grant a-1 Rollout", "grant a-0 Rollout", "create r2"},
		},
		"a scale-up while a canary is tried is of the proven revision": {
			fleet: steady(3, append(busy(2), canary.phase(Pending))...).to("r2"),
			want:  []string{"create r1"},
		},
		"a scale-down while a canary is tried takes idle old ones, and a canary when the surge shrinks": {
			fleet: steady(2, append(many("a", 3, worker.idle), canary.phase(Pending), makeWorker("canary2").of("r2").phase(Pending))...).to("r2"),
			want:  []string{"delete canary", "grant a-2 ScaleDown"},
		},
		"a second change during a rollout: it stands still, and the third revision is tried": {
			fleet: steady(4, append(busy(2), makeWorker("b").of("r2").busy(), makeWorker("c").of("r2").busy())...).published("r2").to("r3"),
			want:  []string{"create r3"},
		},
		"a rollback during the canary lets the canary go": {
			fleet: steady(2, append(busy(2), canary.phase(Pending))...),
			want:  []string{"delete canary"},
		},
		"a rollback is proven by an old pod that is still there": {
			fleet:   steady(2, makeWorker("a"), makeWorker("b").granted(rollout, time.Minute), canary).published("r2").to("r1"),
			publish: "r1",
		},
		"a rollback when all old ones have a grant takes a grant back as the canary": {
			fleet: steady(2, makeWorker("a").granted(rollout, time.Minute), makeWorker("n").of("r2"), makeWorker("m").of("r2")).published("r2").to("r1"),
			want:  []string{"withdraw a"},
		},
		"none running: the hash moves at once": {
			fleet:   steady(0).to("r2"),
			publish: "r2",
		},
		"none running, but the revision was tried and has not proven itself": {
			fleet: steady(2).to("r2").with(func(f *Fleet) { f.Tried = true }),
			want:  []string{"create r1", "create r1", "create r2"},
		},
		"where no worker is wanted none is tried": {
			fleet: steady(0).to("r2").surge(Pods(2)).with(func(f *Fleet) { f.Tried = true }),
		},
		"paused, no canary is created, and scaling goes on": {
			fleet: steady(4, busy(3)...).to("r2").paused(),
			want:  []string{"create r1"},
		},
		"paused with none running, the hash stays": {
			fleet: steady(1).to("r2").paused(),
			want:  []string{"create r1"},
		},
		"paused, a canary stays and is not published": {
			fleet: steady(2, append(busy(2), canary)...).to("r2").paused(),
		},
		"paused half-way, nobody is replaced": {
			fleet: steady(3, append(busy(2), canary)...).published("r2").paused(),
		},
		"paused half-way, a scale-down takes outdated ones first": {
			fleet: steady(2, append(many("a", 2, worker.idle), canary.idle())...).published("r2").paused(),
			want:  []string{"grant a-1 ScaleDown"},
		},
		"a refused canary waits, and the fleet does not": {
			fleet: steady(3, busy(2)...).to("r2").with(func(f *Fleet) {
				f.FailedCreations = map[string]FailedCreation{"r2": {RetryAt: t0.Add(time.Second), Refused: true}}
			}),
			want: []string{"create r1"},
		},
		"a refused fleet waits, and the canary does not": {
			fleet: steady(3, busy(2)...).to("r2").with(func(f *Fleet) {
				f.FailedCreations = map[string]FailedCreation{"r1": {RetryAt: t0.Add(time.Second), Refused: true}}
			}),
			want: []string{"create r2"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if diff := cmp.Diff(c.want, short(d.Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if d.Publish != c.publish {
				t.Errorf("Publish = %q, want %q", d.Publish, c.publish)
			}
		})
	}
}

func TestObstacle(t *testing.T) {
	const image = "ImagePullBackOff: no such image"
	canary := makeWorker("canary").of("r2").phase(Pending).age(time.Minute).readyFor(time.Minute)
	old := canary.age(10 * time.Minute).readyFor(10 * time.Minute)
	cases := map[string]struct {
		fleet Fleet
		want  Obstacle
	}{
		"a settled fleet has none":     {steady(1, makeWorker("a").failing("x")), Obstacle{}},
		"a canary that starts is none": {steady(1, append(busy(1), canary)...).to("r2"), Obstacle{}},
		"a bad image is told at once":  {steady(1, append(busy(1), canary.failing(image))...).to("r2"), Obstacle{CanaryFailing, "canary", image}},
		"one that crashed and is ready again fails on until it has been so for long enough": {
			steady(1, append(busy(1), makeWorker("canary").of("r2").age(time.Minute).readyFor(9*time.Second).crashing().troubled("exit code 3"))...).to("r2").minReady(10 * time.Second),
			Obstacle{CanaryFailing, "canary", "exit code 3"},
		},
		"one that crashed and stays ready does not fail": {
			steady(1, append(busy(1), makeWorker("canary").of("r2").age(time.Minute).readyFor(10*time.Second).crashing().troubled("exit code 3"))...).to("r2").minReady(10 * time.Second),
			Obstacle{},
		},
		"one that waits for a node has time":   {steady(1, append(busy(1), canary.troubled("Unschedulable"))...).to("r2"), Obstacle{}},
		"until the deadline":                   {steady(1, append(busy(1), old.troubled("Unschedulable"))...).to("r2"), Obstacle{DeadlineExceeded, "canary", "Unschedulable"}},
		"one that is never ready":              {steady(1, append(busy(1), old.unready())...).to("r2"), Obstacle{DeadlineExceeded, "canary", "it is not ready, and does not say why"}},
		"a pod of a rollout half-way too":      {steady(1, append(busy(1), old.unready())...).published("r2"), Obstacle{DeadlineExceeded, "canary", "it is not ready, and does not say why"}},
		"one that is not ready for being busy": {steady(1, append(busy(1), old.unready().busy())...).published("r2"), Obstacle{}},
		"one that never was ready is told though it is busy": {
			steady(1, append(busy(1), old.unready().busy())...).to("r2"), Obstacle{DeadlineExceeded, "canary", "it is not ready, and does not say why"},
		},
		"one that is ready now and then has its time from its creation on": {
			steady(1, append(busy(1), old.unready().readyFor(time.Second))...).to("r2"), Obstacle{DeadlineExceeded, "canary", "it is not ready, and does not say why"},
		},
		"also while it is ready for a moment": {
			steady(1, append(busy(1), makeWorker("canary").of("r2").readyFor(time.Second))...).to("r2").minReady(10 * time.Second), Obstacle{DeadlineExceeded, "canary", "it does not stay ready"},
		},
		"one that was ready before has its time since": {
			steady(1, append(busy(1), old.unready().readyFor(time.Second))...).published("r2"), Obstacle{},
		},
		"new workers that crash after publication are told": {
			steady(2, append(busy(2), canary.failing("CrashLoopBackOff"))...).published("r2").with(func(f *Fleet) { f.Proven = false }), Obstacle{WorkersFailing, "canary", "CrashLoopBackOff"},
		},
		"and not while another one works": {
			steady(2, append(busy(2), canary.failing("CrashLoopBackOff"), makeWorker("n").of("r2"))...).published("r2"), Obstacle{},
		},
		"an old pod with an 8-hour task is none": {
			steady(1, makeWorker("a").busy().granted(contract.ReasonRollout, 8*time.Hour), makeWorker("n").of("r2"), makeWorker("b").busy()).published("r2"), Obstacle{},
		},
		"the time is over at the deadline, and not before": {
			steady(1, append(busy(1), canary.age(10*time.Minute-1))...).to("r2"), Obstacle{},
		},
		"without a deadline there is time": {
			steady(1, append(busy(1), old)...).to("r2").with(func(f *Fleet) { f.Rollout.Deadline = 0 }), Obstacle{},
		},
		"of two that are late the one that waits for longer is told": {
			steady(1, append(busy(1), makeWorker("younger").of("r2").phase(Pending).age(11*time.Minute), old.age(12*time.Minute))...).to("r2").surge(Pods(2)),
			Obstacle{DeadlineExceeded, "canary", "it is not ready, and does not say why"},
		},
		"the first revision has a deadline too": {
			steady(1, makeWorker("a").age(time.Hour).unready()).with(func(f *Fleet) { f.Proven = false }),
			Obstacle{DeadlineExceeded, "a", "it is not ready, and does not say why"},
		},
		"one that was once proven has none any more": {steady(1, makeWorker("a").age(time.Hour).unready()), Obstacle{}},
		"in a fleet that is to go nobody is told":    {steady(1, append(busy(1), old)...).to("r2").with(func(f *Fleet) { f.Deleting = true }), Obstacle{}},
		"an old pod that fails says nothing of the newest revision": {
			steady(2, append(busy(1), makeWorker("b").failing("CrashLoopBackOff"), canary)...).to("r2"), Obstacle{},
		},
		"nor does a canary that fails and has a grant": {
			steady(1, append(busy(1), canary.failing(image).granted(contract.ReasonRollout, 0))...).to("r2"), Obstacle{},
		},
		"an old worker that ended says nothing of it either": {
			steady(1, append(busy(1), makeWorker("b").failed(1, time.Second).troubled("exit code 3"))...).to("r2"), Obstacle{},
		},
		"of canaries that ended the one that failed last in a row is told": {
			steady(1, append(busy(1), makeWorker("first").of("r2").failed(1, time.Minute), makeWorker("canary").of("r2").failed(2, time.Second))...).to("r2"),
			Obstacle{CanaryFailing, "canary", "it ended, 2 in a row; the next is created at 2026-01-02T03:04:24Z"},
		},
		"a failure that is long over is not told": {
			steady(1, append(busy(1), makeWorker("canary").of("r2").failed(1, time.Hour))...).to("r2"), Obstacle{},
		},
		"paused, time does not count": {steady(1, append(busy(1), old)...).to("r2").paused(), Obstacle{}},
		"a canary that ended is told with its last words": {
			steady(1, append(busy(1), makeWorker("canary").of("r2").failed(1, time.Second).troubled("exit code 3"))...).to("r2"),
			Obstacle{CanaryFailing, "canary", "exit code 3, 1 in a row; the next is created at 2026-01-02T03:04:14Z"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Plan(c.fleet).Obstacle); diff != "" {
				t.Errorf("Obstacle (-want +got):\n%s", diff)
			}
		})
	}
}

// A rollout must be looked at when only time has passed: a canary stays ready, or a deadline ends.
func TestRolloutWakes(t *testing.T) {
	canary := makeWorker("canary").of("r2")
	ready := steady(1, append(busy(1), canary.readyFor(4*time.Second))...).to("r2").minReady(10 * time.Second)
	if got, want := Plan(ready).RecheckAt, t0.Add(6*time.Second); !got.Equal(want) {
		t.Errorf("RecheckAt = %v, want %v, when the canary has been ready for 10 s", got, want)
	}
	pending := steady(1, append(busy(1), canary.phase(Pending).age(time.Minute))...).to("r2")
	if got, want := Plan(pending).RecheckAt, t0.Add(9*time.Minute); !got.Equal(want) {
		t.Errorf("RecheckAt = %v, want %v, the deadline", got, want)
	}
}

// Once a plan is carried out there is nothing left to do: one action of it makes room for another, or takes it away.
func TestAPlanIsComplete(t *testing.T) {
	cases := map[string]struct {
		fleet Fleet
		want  []string
	}{
		"a canary is too many until the worker on a node that is to go has left": {
			fleet: steady(1, makeWorker("canary").of("r2").unready(), makeWorker("a").unready().nodeLeaving(), makeWorker("b").granted(contract.ReasonScaleDown, 0)).
				to("r2").surge(Pods(1)),
			want: []string{"withdraw b", "grant a NodeDrain"},
		},
		"of two canaries one is too many still": {
			fleet: steady(1, makeWorker("canary").of("r2").unready(), makeWorker("second").of("r2").unready(), makeWorker("a").unready().nodeLeaving(), makeWorker("b").granted(contract.ReasonScaleDown, 0)).
				to("r2").surge(Pods(1)),
			want: []string{"grant second Rollout", "withdraw b", "grant a NodeDrain"},
		},
		"a worker whose node stays does not come back to the place that is a canary's": {
			fleet: steady(3, makeWorker("a").busy().unready(), makeWorker("b").granted(contract.ReasonNodeDrain, 0), makeWorker("c").unready()).
				to("r2").surge(Pods(0)).unavailable(Pods(3)),
			want: []string{"create r2"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if diff := cmp.Diff(c.want, short(d.Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			checkInvariants(t, c.fleet, d)
		})
	}
}

// What is done and undone within one plan is not done.
func TestAPlanDoesNotTakeBackWhatItDoes(t *testing.T) {
	actions := withoutUndone([]Action{
		{Kind: WithdrawGrant, Pod: "a"}, {Kind: Create, Pod: "new-1"}, {Kind: Create, Pod: "new-2"}, {Kind: GrantLeave, Pod: "c", Grant: "Rollout"},
		{Kind: GrantLeave, Pod: "a", Grant: "Rollout"}, {Kind: DeleteNotRunning, Pod: "new-1"}, {Kind: GrantLeave, Pod: "b", Grant: "Rollout"},
		{Kind: WithdrawGrant, Pod: "c"}, {Kind: GrantLeave, Pod: "d", Grant: "Rollout"}, {Kind: WithdrawGrant, Pod: "d"}, {Kind: GrantLeave, Pod: "d", Grant: "ScaleDown"},
	})
	want := []Action{{Kind: Create}, {Kind: GrantLeave, Pod: "b", Grant: "Rollout"}, {Kind: GrantLeave, Pod: "d", Grant: "ScaleDown"}}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

// The one ready worker proves the published revision and goes in the same plan. What is proven stays so, and the newest
// revision has yet to prove itself.
func TestAProofOutlivesThePodThatGaveIt(t *testing.T) {
	f := steady(4,
		makeWorker("proves").granted(contract.ReasonScaleDown, 2*time.Hour).limited(time.Hour).readyFor(time.Hour),
		makeWorker("a").idle().unready(), makeWorker("b").idle().unready(), makeWorker("c").idle().unready(), makeWorker("d").idle().unready(),
	).to("r2")
	f.Proven = false
	known := f
	known.Proven = true
	if diff := cmp.Diff(short(Plan(known).Actions), short(Plan(f).Actions)); diff != "" {
		t.Errorf("with a proof known before (-), and found in this plan (+):\n%s", diff)
	}
}
