package recovery

import (
	"testing"
	"time"
)

// findMany has the searches of a fleet find so many dead workers.
func (w *world) findMany(n int) {
	w.Helper()
	w.pass(searchEvery)
	w.look()
	w.do("search x", result{holders: holding("q", many(n)...)})
}

// returnOne has the tasks of one dead worker returned. The others are tried again later.
func (w *world) returnOne() {
	w.Helper()
	res := result{moved: 1}
	for todo := w.next(w.now); len(todo) > 0; todo = w.next(w.now) {
		for _, each := range todo {
			w.finish(each, res)
			res = result{presence: Present}
		}
	}
}

// Whoever invents lists of dead workers does not have their fleet looked at for each.
func TestAFleetIsNotToldOfEachOfManyThatWereFound(t *testing.T) {
	const n = 100
	w := newWorld(t)
	w.findMany(n)
	w.wokenIs(ours) // the first word comes at once
	w.look()
	w.returnOne()
	w.wokenIs()
	w.wakesIn(n * perFound)
	w.pass(n*perFound - 1)
	w.wokenIs()
	w.pass(1)
	w.wokenIs(ours)
	w.look()
	w.wokenIs()
	w.wakesIn(time.Second - n*perFound) // the others are tried again then, and there is nothing to do before
}

// However many there are, the fleet is told within some seconds.
func TestHowLongAFleetWaitsForAWord(t *testing.T) {
	w := newWorld(t)
	w.findMany(mostFound)
	w.look()
	w.returnOne()
	w.pass(longestGathering - 1)
	w.wokenIs()
	w.pass(1)
	w.wokenIs(ours)
}

// A few are told one by one, and so are those whose pods were seen, however many.
func TestWhoIsToldAtOnce(t *testing.T) {
	var w *world
	for n, want := range map[int][]Fleet{fewFound: {ours}, fewFound + 1: nil} {
		w = newWorld(t)
		w.findMany(n)
		w.look()
		w.returnOne()
		w.wokenIs(want...)
	}

	w = newWorld(t)
	w.look(alive(many(10 * fewFound)...)...)
	w.look()
	w.returnOne()
	w.wokenIs(ours)
}

// That nothing turns up any more in the lists of many is not looked at one by one either.
func TestManyLingeringAreLookedAtTogether(t *testing.T) {
	w := newWorld(t)
	w.findMany(10 * fewFound)
	w.look()
	w.returnOne()
	w.pass(lingering - time.Millisecond)
	if got, want := w.look().RecheckAt, w.now.Add(longestGathering); !got.Equal(want) {
		t.Errorf("looked at again in %s, want in %s", got.Sub(w.now), want.Sub(w.now))
	}
}

// Once there are few again, the fleet does not wait for the time that the many were worth.
func TestWhoHasFewAgainIsToldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.findMany(mostFound)
	w.look()
	w.seen.Mode = Declined
	w.look()
	w.seen.Mode = Active
	w.vanishes("a")
	for _, each := range w.next(w.now) {
		if each.record != nil {
			w.finish(each, result{moved: 1})
		}
	}
	w.wokenIs(ours)
}

// All whom one walk concerns are told in the order of their names.
func TestInWhichOrderFleetsAreTold(t *testing.T) {
	w := unsearched(t)
	var want []Fleet
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		w.other(name, main)
		want = append(want, Fleet{Name: name})
	}
	w.walksFail(nil, nil, want)
}
