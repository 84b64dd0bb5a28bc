package recovery

import (
	"testing"
	"time"
)

// The whole way of a worker whose pod ends, is removed, and had a request on the way.
func TestTheWayOfAWorkerThatEnds(t *testing.T) {
	w := newWorld(t)
	w.snapshotIs(w.look(alive("a")...), Snapshot{})
	w.todo()

	w.snapshotIs(w.look(ended("a")...), Snapshot{Dead: []Dead{dead("a", Ended)}})
	returned := w.todo("return a")
	w.todo() // and not twice
	w.look(ended("a")...)
	w.todo()
	w.finish(returned[0], result{moved: 2})
	w.wokenIs(ours)
	w.snapshotIs(w.look(ended("a")...), Snapshot{Dead: []Dead{dead("a", Returned)}, Returned: 2})
	w.snapshotIs(w.look(ended("a")...), Snapshot{Dead: []Dead{dead("a", Returned)}})

	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, Vanished: 1, RecheckAt: w.now.Add(time.Minute)})
	w.todo()
	w.wakesIn(0)

	w.pass(30 * time.Second)
	w.readings[main.Key] = readingOf(w.now, 1)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Gone)}})
	w.do("confirm and return a", result{moved: 1})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, Returned: 1, RecheckAt: w.now.Add(time.Minute)})
	w.todo() // the reading is older than the return

	w.pass(time.Minute) // and not by the time alone: the last reading is of the middle of it
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, RecheckAt: w.now.Add(rereadAfter)})
	w.readings[main.Key] = readingOf(w.now, 0)
	w.snapshotIs(w.look(), Snapshot{})
	w.todo()
}

func TestAWorkerThatVanishesIsConfirmedToBeGone(t *testing.T) {
	w := newWorld(t)
	w.look(alive("a")...)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Gone)}, Vanished: 1})
	w.do("confirm and return a", result{presence: Present})
	w.wokenIs() // it is a matter of moments
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Gone)}})
	w.todo()
	w.wakesIn(time.Second)
	w.pass(time.Second)
	w.do("confirm and return a", result{})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, RecheckAt: w.now.Add(time.Minute)})
}

func TestAWorkerThatTheCacheShowsAgainIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.vanishes("a")
	under := w.todo("confirm and return a")
	w.snapshotIs(w.look(alive("a")...), Snapshot{})
	w.finish(under[0], result{presence: Present})
	w.snapshotIs(w.look(alive("a")...), Snapshot{})
	w.pass(10 * time.Minute)
	w.todo()
}

func TestAWorkerThatIsSomebodyElsesIsNotLookedAfter(t *testing.T) {
	w := newWorld(t)
	w.vanishes("a")
	w.do("confirm and return a", result{presence: Foreign})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{})
	w.pass(10 * time.Minute)
	w.todo()
}

// A worker that comes to be and vanishes between two observations is missed where nobody notes it.
func TestAWorkerThatIsNotedIsMissed(t *testing.T) {
	w := newWorld(t)
	w.look()
	w.note(ours, alive("a"))
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Gone)}, Vanished: 1})
	w.note(Fleet{Name: "unknown"}, alive("b"))
}

// Whoever has looked since is not woken for what it has seen.
func TestNobodyIsWokenForWhatItHasSeen(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a")...)
	w.do("return a", result{})
	w.look(ended("a")...)
	w.wokenIs()
}

// The snapshot changes by time when the first of two lists is not watched any more.
func TestTheFirstOfTwoThatLingerWakes(t *testing.T) {
	w := newWorld(t)
	w.look(alive("a", "b")...)
	w.look(alive("b")...)
	w.do("confirm and return a", result{})
	w.pass(time.Second)
	w.look()
	w.do("confirm and return b", result{})
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering), dead("b", Lingering)}, RecheckAt: after(time.Minute)})
	w.pass(59 * time.Second)
	w.readings[main.Key] = readingOf(w.now, 0)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("b", Lingering)}, RecheckAt: after(61 * time.Second)})
}
