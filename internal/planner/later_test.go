package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

// What holds a creation back is told wherever in the plan it is met: here a grant is withdrawn first, then a worker leaves
// the node that is to go, and only then there is room for another.
func TestWhatALaterStepMeetsIsTold(t *testing.T) {
	type told struct {
		Retrying  []string
		Missing   []Missing
		BackOff   BackOff
		RecheckAt time.Time
	}
	retryAt := t0.Add(time.Second)
	cases := map[string]struct {
		change func(*Fleet)
		want   told
		create bool
	}{
		"nothing holds it back": {func(*Fleet) {}, told{}, true},
		"it has failed, and is tried again later": {func(f *Fleet) {
			f.FailedCreations = map[string]FailedCreation{"r1": {RetryAt: retryAt}}
		}, told{Retrying: []string{"r1"}, RecheckAt: retryAt}, false},
		"it is tried again at that time": {func(f *Fleet) {
			f.FailedCreations = map[string]FailedCreation{"r1": {RetryAt: t0}}
		}, told{}, true},
		"no pod can be made": {func(f *Fleet) {
			f.Uncreatable = map[string]string{"r1": "there is no ScalerConfig"}
		}, told{Missing: []Missing{{"r1", 1, "there is no ScalerConfig"}}}, false},
		"a worker has crashed": {func(f *Fleet) {
			f.Pods = append(f.Pods, makeWorker("f").failed(1, time.Second).Pod)
		}, told{BackOff: BackOff{"r1", 1, t0.Add(9 * time.Second)}, RecheckAt: t0.Add(9 * time.Second)}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := steady(4, append(many("a", 4, worker.nodeLeaving), makeWorker("g").granted(contract.ReasonScaleDown, 0))...).with(c.change)
			d := Plan(f)
			if diff := cmp.Diff(c.want, told{d.Retrying, d.Missing, d.BackOff, d.RecheckAt}); diff != "" {
				t.Errorf("it is told (-want +got):\n%s", diff)
			}
			want := []string{"withdraw g", "grant a-3 NodeDrain"}
			if c.create {
				want = append(want, "create r1")
			}
			if diff := cmp.Diff(want, short(d.Actions)); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
		})
	}
}

// A canary's back-off is the rollout's obstacle; every other one is the fleet's.
func TestWhoseBackOffItIs(t *testing.T) {
	of := func(revision string) BackOff { return BackOff{revision, 1, t0.Add(9 * time.Second)} }
	crashed := makeWorker("f").failed(1, time.Second)
	cases := map[string]struct {
		fleet    Fleet
		want     BackOff
		obstacle ObstacleReason
	}{
		"a settled fleet's":                {steady(1, crashed), of("r1"), ""},
		"that of one that rolls":           {steady(2, makeWorker("a").busy(), crashed.of("r2")).published("r2"), of("r2"), WorkersFailing},
		"the fleet's, beside a canary":     {steady(2, makeWorker("a"), makeWorker("canary").of("r2").phase(Pending).age(time.Minute), crashed).to("r2"), of("r1"), ""},
		"a canary's":                       {steady(1, makeWorker("a"), crashed.of("r2")).to("r2"), BackOff{}, CanaryFailing},
		"nobody's where nobody is missing": {steady(1, makeWorker("a"), crashed), BackOff{}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			if d.BackOff != c.want || d.Obstacle.Reason != c.obstacle {
				t.Errorf("the back-off is %+v and the obstacle %q, want %+v and %q", d.BackOff, d.Obstacle.Reason, c.want, c.obstacle)
			}
		})
	}
}
