package recovery

import (
	"strings"
	"testing"
)

// What a walk has found is kept for who comes later, up to 256 KiB. Beyond, it is dropped once all who asked have their answer,
// and who comes later has a walk of its own.
func TestWhatAWalkHasFoundIsKeptWithinABound(t *testing.T) {
	most := strings.Repeat("x", mostKept-len("q")-nameSize)
	for name, c := range map[string]struct {
		holder string
		todo   []string
	}{
		"the most that is kept": {most, nil},
		"one byte more":         {most + "x", []string{"search x"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := unsearched(t)
			w.look()
			w.finish(w.todo("search x")[0], result{holders: holding("q", c.holder)})
			w.finish(w.next(w.now)[0], result{counts: []int64{0}})
			w.other("late", Place{Broker: "x", Queue: "other", Key: main.Key, Revision: "r"})
			w.todo(c.todo...)
			kept := 0
			for _, workers := range w.searches["x"].holders {
				kept += len(workers)
			}
			if want := map[bool]int{true: 1}[c.todo == nil]; kept != want {
				t.Errorf("%d names are kept, want %d", kept, want)
			}
		})
	}
}

// Who asked has its answer, whatever is kept of it. Who comes later finds the same by a walk of its own.
func TestALateFleetHasItsAnswerBehindMuchThatIsInvented(t *testing.T) {
	w := unsearched(t)
	found := result{holders: holding("q", append(many(5000), "ours-dead", "late-dead")...)}
	w.look()
	w.finish(w.todo("search x")[0], found)
	w.snapshotIs(Snapshot{Dead: w.look().Dead}, Snapshot{Dead: []Dead{dead("ours-dead", Gone)}})
	w.next(w.now)
	w.other("late", main)
	walk := w.next(w.now)
	w.finish(walk[0], found)
	w.snapshotIs(Snapshot{Dead: w.other("late", main).Dead}, Snapshot{Dead: []Dead{dead("late-dead", Gone)}})
	for ask, s := range w.strangers {
		if got := cap(s.workers); got > 2*mostStrangers {
			t.Errorf("of the unknown workers of %s, %d names are kept", ask.fleet.name.Name, got)
		}
	}
}
