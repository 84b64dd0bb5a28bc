package recovery

import (
	"testing"

	"github.com/quickube/qscaler/internal/backlog"
)

// nowhere is a dead worker of which nobody knows where it was at work.
func nowhere(worker string, state State) Dead {
	d := dead(worker, state)
	d.Unplaced = true
	return d
}

// Of a worker of which nobody knows the place, nothing is returned from a place that is guessed. A search that finds it holding
// tasks of a queue of the fleet says the place.
func TestAWorkerWhosePlaceNobodyKnows(t *testing.T) {
	w := newWorld(t)
	unknown := func(string) Place { return Place{} }
	w.seen.At = unknown
	w.snapshotIs(w.look(ended("a", "b")...), Snapshot{Dead: []Dead{nowhere("a", Ended), nowhere("b", Ended)}})
	w.todo()

	w.pass(searchEvery)
	w.look(ended("a", "b")...)
	w.do("search x", result{holders: holding("q", "a")})
	w.wokenIs(ours)
	w.do("return a", result{moved: 1})
	w.snapshotIs(w.look(ended("a", "b")...), Snapshot{Dead: []Dead{dead("a", Returned), nowhere("b", Ended)}, Returned: 1})
	w.todo()
}

// A worker whose place was known keeps it when nobody knows its revision any more, as long as the fleet works there.
func TestAPlaceThatWasKnown(t *testing.T) {
	w := newWorld(t)
	w.readings[former.Key] = backlog.Reading{Known: true}
	w.seen.Places = []Place{main, former}
	w.seen.At = func(string) Place { return former }
	w.look(ended("a")...)
	w.todo("search old", "return a")
	w.seen.At = func(string) Place { return Place{} }
	if known, _ := w.look(ended("a")...).Of("a"); known.Unplaced {
		t.Error("the place is not known any more, though the fleet works there")
	}
	w.seen.Places = []Place{main}
	if known, _ := w.look(ended("a")...).Of("a"); !known.Unplaced {
		t.Error("the place is known, though the fleet does not work there any more")
	}
}

// One whose pod is gone is forgotten once a search has looked for it, unless the fleet is deleted and is to tell of it. Many
// of them are not kept for ever.
func TestAWorkerWhosePlaceNobodyKnowsIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.seen.At = func(string) Place { return Place{} }
	names := many(1000)
	w.look(alive(names...)...)
	w.look()
	w.seen.Deleting = true
	w.pass(searchEvery)
	if n := len(w.look().Dead); n != len(names) {
		t.Errorf("%d are known while the fleet is deleted, want %d", n, len(names))
	}
	w.seen.Deleting = false
	if n := len(w.look().Dead); n != 0 {
		t.Errorf("%d are known after an hour", n)
	}
}
