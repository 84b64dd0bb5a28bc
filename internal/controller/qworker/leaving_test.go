package qworker

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/recovery"
	"github.com/quickube/qscaler/worker/contract"
)

// A reading may be older than what is known of the pods. What it has in the hands of a worker that has left since is
// done, and asks for no other.
func TestWhoseMessagesNeedNoOtherWorker(t *testing.T) {
	grant := planner.Grant{Reason: contract.ReasonScaleDown}
	o := &observation{qw: &v1alpha1.QWorker{}}
	o.states = []planner.Pod{
		{Name: "at work", Phase: planner.Running},
		{Name: "granted", Phase: planner.Running, Grant: grant},
		{Name: "void", Phase: planner.Running, Grant: planner.Grant{Reason: contract.ReasonNodeDrain}},
		{Name: "terminating", Phase: planner.Terminating},
		{Name: "departed", Phase: planner.Left, Grant: grant},
		{Name: "ended after its task", Phase: planner.Left, EndedWell: time.Unix(1, 0)},
		{Name: "crashed", Phase: planner.Left, Grant: grant, Failure: planner.Failure{At: time.Unix(1, 0)}},
	}
	o.dead.Dead = []recovery.Dead{{Worker: "gone", State: recovery.Lingering}, {Worker: "gone, its task not back", State: recovery.Gone}}

	want := []string{"departed", "gone", "granted", "terminating"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(o.leaving(nil)))); diff != "" {
		t.Errorf("leaving (-want +got):\n%s", diff)
	}

	o.qw.Spec.Drain = &v1alpha1.DrainSpec{EndsAfterTask: true}
	want = []string{"departed", "ended after its task", "gone", "granted", "terminating"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(o.leaving(nil)))); diff != "" {
		t.Errorf("leaving, where workers end after their task (-want +got):\n%s", diff)
	}
}
