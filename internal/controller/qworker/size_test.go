package qworker

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

// A reading may be older than what is known of the pods. What it has in the hands of a worker that has left since is
// done, and asks for no other.
func TestWhoseMessagesAskForNoWorker(t *testing.T) {
	grant := planner.Grant{Reason: contract.ReasonScaleDown}
	s := &scope{memory: newMemory("uid")}
	s.states = []planner.Pod{
		{Name: "at work", Phase: planner.Running},
		{Name: "granted", Phase: planner.Running, Grant: grant},
		{Name: "void", Phase: planner.Running, Grant: planner.Grant{Reason: contract.ReasonNodeDrain}},
		{Name: "terminating", Phase: planner.Terminating},
		{Name: "departed", Phase: planner.Left, Grant: grant},
		{Name: "crashed", Phase: planner.Left, Grant: grant, Failure: planner.Failure{At: time.Unix(1, 0)}},
	}
	s.memory.lost["gone"] = lostPod{settled: time.Unix(1, 0)}
	s.memory.lost["gone, its task not back"] = lostPod{}

	want := []string{"departed", "gone", "granted", "terminating"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(s.excused()))); diff != "" {
		t.Errorf("excused (-want +got):\n%s", diff)
	}
}
