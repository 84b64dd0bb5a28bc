package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

func TestDraining(t *testing.T) {
	const kind = v1alpha1.ConditionDraining
	type drained struct {
		Condition metav1.Condition
		Busy      map[string]time.Time
		Wake      time.Time
	}
	type seen = map[string]time.Time
	grant := func(d time.Duration) func(*Pod) { return granted(contract.ReasonScaleDown, ago(d)) }
	signalled := func(d time.Duration) func(*Pod) {
		return func(p *Pod) { p.Phase, p.Ready, p.Signalled = planner.Terminating, false, ago(d) }
	}
	ignoredBut := func(signal, bound string) string {
		return ". No worker of this QWorker has ever left on a grant. A worker must exit with code 0 when the file /etc/qscaler/drain is not empty. If your worker shuts down well on SIGTERM, set spec.drain.mode: Signal" +
			signal + ". " + bound + ". To let these workers go now, delete their pods: they get SIGTERM and their grace period"
	}
	const (
		withDuration = " and spec.drain.maxTaskDuration, the longest that a task takes"
		withUnseen   = ". Signal also needs spec.drain.mayEndUnseenTasks: true, because QScaler has seen none of these workers with a task. A task that takes longer than the grace period is then interrupted"
		laterBounded = "With spec.drain.mode Grant, spec.drain.maxTaskDuration bounds how long workers that are created from then on may have a grant"
		bounded      = "QScaler deletes a worker that has held its grant for spec.drain.maxTaskDuration"
	)
	ignored := ignoredBut(withDuration, laterBounded)
	limited := func(p *Pod) { p.MaxTaskDuration = time.Hour }
	cases := map[string]struct {
		pods       []Pod
		leftBefore bool
		busy       seen
		unseen     []string
		want       drained
	}{
		"nobody leaves": {
			[]Pod{worker("a"), worker("b", in(planner.Terminating)), worker("c", in(planner.Left), grant(time.Hour))}, false, seen{"z": now}, nil,
			drained{isFalse(kind, ReasonNoGrants, "no worker is told to leave"), seen{}, time.Time{}},
		},
		"one has a grant, and has time until it is 10 minutes old": {
			[]Pod{worker("a", grant(time.Minute))}, false, nil, nil,
			drained{isTrue(kind, ReasonWaiting, "1 worker leaves after its task: a; since 2026-01-02T03:03:05Z (ScaleDown)"), seen{}, now.Add(9 * time.Minute)},
		},
		"a moment before that": {
			[]Pod{worker("a", grant(10*time.Minute-time.Nanosecond))}, false, nil, nil,
			drained{isTrue(kind, ReasonWaiting, "1 worker leaves after its task: a; since 2026-01-02T02:54:05Z (ScaleDown)"), seen{}, now.Add(time.Nanosecond)},
		},
		"at 10 minutes it does not know": {
			[]Pod{worker("a", grant(10*time.Minute))}, false, nil, nil,
			drained{isTrue(kind, ReasonNotHonoured, "1 worker leaves after its task: a; since 2026-01-02T02:54:05Z (ScaleDown)"+ignored), seen{}, time.Time{}},
		},
		"whoever is bounded is deleted in the end": {
			[]Pod{worker("a", grant(10*time.Minute), limited)}, false, nil, nil,
			drained{isTrue(kind, ReasonNotHonoured, "1 worker leaves after its task: a; since 2026-01-02T02:54:05Z (ScaleDown)"+ignoredBut("", bounded)), seen{}, time.Time{}},
		},
		"not everybody is bounded": {
			[]Pod{worker("a", grant(10*time.Minute), limited), worker("b", grant(time.Minute))}, false, nil, nil,
			drained{isTrue(kind, ReasonNotHonoured, "2 workers leave after their tasks: a, b; the first since 2026-01-02T02:54:05Z (ScaleDown)"+ignored), seen{}, now.Add(9 * time.Minute)},
		},
		"none of its revision was seen at a task": {
			[]Pod{worker("a", grant(10*time.Minute))}, false, nil, []string{"r1"},
			drained{isTrue(kind, ReasonNotHonoured, "1 worker leaves after its task: a; since 2026-01-02T02:54:05Z (ScaleDown)"+ignoredBut(withDuration+withUnseen, laterBounded)), seen{}, time.Time{}},
		},
		"none of another revision was": {
			[]Pod{worker("a", grant(10*time.Minute))}, false, nil, []string{"r2"},
			drained{isTrue(kind, ReasonNotHonoured, "1 worker leaves after its task: a; since 2026-01-02T02:54:05Z (ScaleDown)"+ignored), seen{}, time.Time{}},
		},
		"others of the fleet have left on a grant": {
			[]Pod{worker("a", grant(10*time.Minute))}, true, seen{"a": now}, nil,
			drained{isTrue(kind, ReasonWaiting, "1 worker leaves after its task: a; since 2026-01-02T02:54:05Z (ScaleDown)"), nil, time.Time{}},
		},
		"a busy one finishes its task": {
			[]Pod{worker("a", grant(2*time.Hour), at(planner.Busy))}, false, nil, nil,
			drained{isTrue(kind, ReasonWaiting, "1 worker leaves after its task: a; since 2026-01-02T01:04:05Z (ScaleDown)"), seen{"a": now}, time.Time{}},
		},
		"and has its time from then on": {
			[]Pod{worker("a", grant(2*time.Hour), at(planner.Idle))}, false, seen{"a": ago(time.Minute)}, nil,
			drained{isTrue(kind, ReasonWaiting, "1 worker leaves after its task: a; since 2026-01-02T01:04:05Z (ScaleDown)"), seen{"a": ago(time.Minute)}, now.Add(9 * time.Minute)},
		},
		"for 10 minutes": {
			[]Pod{worker("a", grant(2*time.Hour), at(planner.Idle))}, false, seen{"a": ago(10 * time.Minute)}, nil,
			drained{isTrue(kind, ReasonNotHonoured, "1 worker leaves after its task: a; since 2026-01-02T01:04:05Z (ScaleDown)"+ignored), seen{"a": ago(10 * time.Minute)}, time.Time{}},
		},
		"a grant that a person gave has no age": {
			[]Pod{worker("a", granted("ByHand", time.Time{}))}, false, nil, nil,
			drained{isTrue(kind, ReasonWaiting, "1 worker leaves after its task: a; since an unknown time (ByHand)"), seen{}, time.Time{}},
		},
		"a worker that finishes its task on SIGTERM is shown": {
			[]Pod{worker("a", signalled(2*time.Hour))}, false, nil, nil,
			drained{isTrue(kind, ReasonWaiting, "1 worker leaves after its task: a; since 2026-01-02T01:04:05Z (SIGTERM)"), seen{}, time.Time{}},
		},
		"of several, the one that was told first is named first, and looked at first": {
			[]Pod{worker("d", granted("ByHand", time.Time{})), worker("c", grant(time.Minute)), worker("b", grant(time.Minute)), worker("a", grant(2*time.Minute))}, false, nil, nil,
			drained{isTrue(kind, ReasonWaiting, "4 workers leave after their tasks: a, b, c and 1 more; the first since 2026-01-02T03:02:05Z (ScaleDown)"), seen{}, now.Add(8 * time.Minute)},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got drained
			got.Condition, got.Busy, got.Wake = drainingOf(now, Observed{Pods: c.pods, Tasks: Tasks{Unseen: c.unseen}}, c.leftBefore, c.busy)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
