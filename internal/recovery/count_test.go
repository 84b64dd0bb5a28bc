package recovery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/recovery"
)

// Unknown holders are counted at their queue.
func TestUnknownHoldersAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		f.holders = []broker.Holder{{Queues: []string{"one"}, Worker: "foreign-laptop"}}
		f.held = 3
		look(t, r, one, "x")
		wait(time.Second)
		f.calledFor(t, map[string]int{"search x": 1, "count": 1})
		want := recovery.UnknownHolders{Known: true, Workers: []string{"foreign-laptop"}, Lists: 1, Tasks: 3}
		if diff := cmp.Diff(want, look(t, r, one, "x").UnknownHolders); diff != "" {
			t.Errorf("unknownHolders (-want +got):\n%s", diff)
		}
	})
}

// Where a count hangs, they are told without a number when its deadline has passed.
func TestACountThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fakes, r *recovery.Recovery) {
		f.holders = []broker.Holder{{Queues: []string{"one"}, Worker: "foreign-laptop"}}
		f.hangs["x/one"] = true
		look(t, r, one, "x")
		for _, known := range []bool{false, true} {
			wait(4 * time.Second) // the deadline is at 5
			if got := look(t, r, one, "x").UnknownHolders; got.Known != known || got.Tasks != 0 {
				t.Errorf("unknownHolders: %+v, want them to be known: %t", got, known)
			}
		}
	})
}
