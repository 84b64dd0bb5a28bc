package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

// The order in which workers leave, each for a reason of its own.
func TestLeaveOrder(t *testing.T) {
	want := []string{
		"pending", "unready and idle", "outdated and idle", "outdated and busy",
		"idle, and the newest", "idle", "idle, and as old", "unknown", "unknown, and unready", "busy",
	}
	pods := workers(
		makeWorker("busy").busy().age(time.Second),
		makeWorker("unknown, and unready").unready().age(2*time.Hour),
		makeWorker("unknown").age(time.Minute),
		makeWorker("idle, and as old").idle(),
		makeWorker("idle").idle(),
		makeWorker("idle, and the newest").idle().age(time.Minute),
		makeWorker("outdated and busy").of("r0").busy().age(time.Second),
		makeWorker("outdated and idle").of("r0").idle().age(time.Second),
		makeWorker("unready and idle").unready().idle(),
		makeWorker("pending").phase(Pending),
	)
	var got []string
	for _, p := range leaveOrder(pods, notOfRevision("r1")) {
		got = append(got, p.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("they leave (-want +got):\n%s", diff)
	}
}

func TestObsolete(t *testing.T) {
	cases := map[string]struct {
		pod  worker
		want bool
	}{
		"a rollout away from what is wanted again": {makeWorker("a").granted(contract.ReasonRollout, 0), true},
		"a rollout that goes on":                   {makeWorker("a").of("r0").granted(contract.ReasonRollout, 0), false},
		"a node that stays":                        {makeWorker("a").granted(contract.ReasonNodeDrain, 0), true},
		"a node that is to go":                     {makeWorker("a").nodeLeaving().granted(contract.ReasonNodeDrain, 0), false},
		"a node that does not answer":              {makeWorker("a").unreachable().granted(contract.ReasonNodeDrain, 0), false},
		"a smaller fleet":                          {makeWorker("a").granted(contract.ReasonScaleDown, 0), false},
		"a deletion":                               {makeWorker("a").granted(contract.ReasonDelete, 0), false},
		"no grant":                                 {makeWorker("a"), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := steady(1).Obsolete(c.pod.Pod); got != c.want {
				t.Errorf("Obsolete = %t, want %t", got, c.want)
			}
		})
	}
}

// Since when there are too many workers goes from plan to plan, and ends with the excess.
func TestExcessSince(t *testing.T) {
	earlier := t0.Add(-20 * time.Second)
	since := func(f *Fleet) { f.ExcessSince = earlier }
	cases := map[string]struct {
		fleet Fleet
		want  time.Time
	}{
		"nobody is too many":     {steady(1, makeWorker("a")), time.Time{}},
		"nobody is any more":     {steady(1, makeWorker("a")).with(since), time.Time{}},
		"somebody begins to be":  {steady(1, busy(2)...), t0},
		"somebody still is":      {steady(1, busy(2)...).with(since), earlier},
		"a canary is published":  {steady(1, append(busy(2), makeWorker("n").of("r2"))...).to("r2").with(since), earlier},
		"the way is cleared too": {steady(1, append(busy(2), makeWorker("x").of("r0").phase(Pending))...).to("r2").with(since), earlier},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Plan(c.fleet).ExcessSince; !got.Equal(c.want) {
				t.Errorf("ExcessSince = %v, want %v", got, c.want)
			}
		})
	}
}

// Who asks why a worker was created or may leave is told how the number came about.
func TestWhyIsPassedOn(t *testing.T) {
	const why = "the queue asks for 0 workers: 0 waiting + 0 in flight; minReplicas keeps 1"
	cases := map[string]struct {
		workers []worker
		want    string
	}{
		"nobody is there":       {nil, why},
		"two are":               {[]worker{makeWorker("a"), makeWorker("b")}, why + "; 1 worker too many"},
		"a grant is taken back": {[]worker{makeWorker("a").granted(contract.ReasonScaleDown, time.Second)}, why + "; the worker is needed again"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(steady(1, c.workers...).with(func(f *Fleet) { f.Why = why }))
			if len(d.Actions) != 1 || d.Actions[0].Why != c.want {
				t.Errorf("actions %v, want one for: %s", d.Actions, c.want)
			}
		})
	}
}
