package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/worker/contract"
)

// An action of each kind, as the log has it.
func TestActionsInWords(t *testing.T) {
	want := map[Kind]string{
		Create:           "Create (revision r1): so it is",
		GrantLeave:       "GrantLeave a (ScaleDown): so it is",
		SignalLeave:      "SignalLeave a (ScaleDown): so it is",
		WithdrawGrant:    "WithdrawGrant a: so it is",
		DeleteNotRunning: "DeleteNotRunning a: so it is",
		DeleteOverdue:    "DeleteOverdue a: so it is",
		Remove:           "Remove a: so it is",
	}
	got := map[Kind]string{}
	for _, kind := range Kinds() {
		got[kind] = Action{Kind: kind, Pod: "a", Revision: "r1", Grant: contract.ReasonScaleDown, Why: "so it is"}.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

// Of two times to look again, the earlier one counts, whichever is found first.
func TestTheNextLookIsTheEarliest(t *testing.T) {
	for _, minutes := range [][]time.Duration{{1, 2}, {2, 1}} {
		var d Decision
		for _, m := range minutes {
			d.recheckAt(t0.Add(m * time.Minute))
		}
		if want := t0.Add(time.Minute); !d.RecheckAt.Equal(want) {
			t.Errorf("of %v it looks at %v, want %v", minutes, d.RecheckAt, want)
		}
	}
}
