package recovery

import (
	"testing"

	"github.com/quickube/qscaler/internal/backlog"
)

// Records follow their revision when its place is watched under another key, or is another.
func TestARecordFollowsItsPlace(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a")...)
	w.seen.Places = []Place{former, main}
	w.seen.At = func(string) Place { return former }
	w.readings[former.Key] = backlog.Reading{Known: true}
	w.look(ended("a")...)
	w.todo("search old")
	todo := w.todo("return a")
	if todo[0].pace.id != "old" || todo[0].key != former.Key {
		t.Errorf("a is returned at %s by %s, want %s", todo[0].pace.id, todo[0].key, former.Key)
	}
}

// A worker of a revision whose place is not among the fleet's is shown, and nothing is done for it.
func TestAWorkerWhosePlaceNobodyUses(t *testing.T) {
	w := newWorld(t)
	w.seen.At = func(string) Place { return former }
	w.readings[former.Key] = backlog.Reading{Known: true}
	w.snapshotIs(w.look(ended("a")...), Snapshot{Dead: []Dead{dead("a", Ended)}})
	w.todo()
}
