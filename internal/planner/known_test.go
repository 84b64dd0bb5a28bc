package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

// down is a worker whose process ended so long ago, as far as its kubelet has told.
func (w worker) down(ago time.Duration) worker {
	w = w.phase(Pending)
	w.DownSince = t0.Add(-ago)
	return w
}

// TestWhatTheBrokerKnowsWins has workers that hold a task, and of which the kubelet does not say that they run. None of
// them is deleted for that.
func TestWhatTheBrokerKnowsWins(t *testing.T) {
	idle := func(name string) worker { return makeWorker(name).idle() }
	starting := func() worker { return makeWorker("starting").age(5 * time.Second).phase(Pending).busy() }
	granted := func() worker { return starting().granted(contract.ReasonScaleDown, time.Second) }
	type want struct {
		Actions []string
		Recheck time.Duration // 0 is never
	}
	cases := map[string]struct {
		fleet Fleet
		want  want
	}{
		"an idle one leaves in its place": {
			steady(1, idle("idle"), idle("other"), starting()), want{Actions: []string{"grant idle ScaleDown"}, Recheck: sparesBusyFor},
		},
		"the only one that is ready stays until the other is": {
			steady(1, idle("idle"), starting()), want{Recheck: sparesBusyFor},
		},
		"alone, it is spared as any busy one is": {
			steady(0, starting()), want{Recheck: sparesBusyFor},
		},
		"and gets a grant after that time": {
			steady(0, starting()).with(func(f *Fleet) { f.ExcessSince = t0.Add(-sparesBusyFor) }), want{Actions: []string{"grant starting ScaleDown"}},
		},
		"or is told by SIGTERM": {
			steady(0, starting().signalled()).with(func(f *Fleet) { f.ExcessSince = t0.Add(-sparesBusyFor) }), want{Actions: []string{"signal starting ScaleDown"}},
		},
		"in a rollout the idle one leaves first": {
			steady(2, idle("old"), starting(), makeWorker("n1").of("r2").idle(), makeWorker("n2").of("r2").idle()).published("r2"),
			want{Actions: []string{"grant old Rollout", "grant starting Rollout"}},
		},
		"of a superseded revision, it is spared too": {
			steady(1, idle("a"), starting().of("r0"), makeWorker("c").of("r2").unready()).to("r2"), want{Recheck: sparesBusyFor},
		},
		"its node is to go": {
			steady(1, starting().nodeLeaving(), idle("b")), want{Actions: []string{"grant starting NodeDrain"}},
		},
		"it cannot run as it is sized, and does": {
			steady(1, func() worker { w := starting(); w.Unfit = noRoom; return w }()), want{},
		},
		"with a grant it keeps its time": {
			steady(1, idle("a"), granted()), want{},
		},
		"with a grant it is taken back when it is needed": {
			steady(2, idle("a"), granted()), want{Actions: []string{"withdraw starting"}},
		},
		"the QWorker is being deleted": {
			steady(0, starting()).with(func(f *Fleet) { f.Deleting = true }), want{Actions: []string{"grant starting Delete"}},
		},
		"its process has ended a moment ago, and the next may be at the task": {
			steady(1, idle("idle"), idle("other"), makeWorker("down").down(believedFor-time.Second).busy()), want{Actions: []string{"grant idle ScaleDown"}, Recheck: sparesBusyFor},
		},
		"with a grant it has the rest of that time": {
			steady(1, idle("a"), makeWorker("down").down(believedFor-time.Second).busy().granted(contract.ReasonScaleDown, time.Second)), want{Recheck: time.Second},
		},
		"its process has ended, and its QWorker is being deleted": {
			steady(0, makeWorker("down").down(0).busy()).with(func(f *Fleet) { f.Deleting = true }), want{Actions: []string{"delete down"}},
		},
		"its process ended that long ago": {
			steady(1, idle("idle"), makeWorker("down").down(believedFor).busy()), want{Actions: []string{"delete down"}},
		},
		"so it did with a grant": {
			steady(1, idle("a"), makeWorker("down").down(believedFor).busy().granted(contract.ReasonScaleDown, time.Second)), want{Actions: []string{"delete down"}},
		},
		"its process has ended, and it holds nothing": {
			steady(1, idle("a"), makeWorker("down").down(0).idle()), want{Actions: []string{"delete down"}},
		},
		"it has a grant, is not running, and the queue cannot be read": {
			steady(1, idle("a"), makeWorker("starting").phase(Pending).granted(contract.ReasonScaleDown, time.Second)).with(func(f *Fleet) { f.DepthKnown = false }), want{},
		},
		"the QWorker that is being deleted does not wait for that": {
			steady(0, makeWorker("starting").phase(Pending).granted(contract.ReasonDelete, time.Second)).with(func(f *Fleet) { f.DepthKnown, f.Deleting = false, true }), want{Actions: []string{"delete starting"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Plan(c.fleet)
			got := want{Actions: short(d.Actions)}
			if !d.RecheckAt.IsZero() {
				got.Recheck = d.RecheckAt.Sub(t0)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
