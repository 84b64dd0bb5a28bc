package qworker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/recovery"
)

// A reading wakes the fleet for a task in a list that was returned before, and not for one that is yet to be returned.
func TestForWhichDeadWorkersAReadingWakes(t *testing.T) {
	got := map[recovery.State]bool{}
	for _, state := range []recovery.State{recovery.Ended, recovery.Returned, recovery.Gone, recovery.Lingering} {
		dead := deadWorkers{Snapshot: recovery.Snapshot{Dead: []recovery.Dead{{Worker: "a", State: state}}}}
		w := wakeup{awaited: dead.awaited(func(string) bool { return true })}
		got[state] = w.findsHeld(backlog.Reading{}, backlog.Reading{Known: true, Depth: broker.Depth{Held: map[string]int64{"a": 1}}})
	}
	want := map[recovery.State]bool{recovery.Ended: false, recovery.Returned: false, recovery.Gone: false, recovery.Lingering: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wakes (-want +got):\n%s", diff)
	}
}
