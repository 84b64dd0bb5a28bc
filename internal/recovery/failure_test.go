package recovery

import (
	"errors"
	"testing"
	"time"
)

// Each failure in its turn: the pause doubles, the third is told of, and nothing is done in between.
func TestAFailedReturnIsTriedAgain(t *testing.T) {
	failures := map[string]result{
		"the API server does not answer": {unasked: errRefused},
		"the broker refuses":             {err: errRefused},
		"the broker refuses half-way":    {err: errRefused, moved: 1},
	}
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.vanishes("a")
			for i, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
				pause *= time.Second
				w.do("confirm and return a", failure)
				w.wokenIs(ours)
				s := w.look()
				told := failed("a", Gone, i+1, errRefused)
				told.Unconfirmed = failure.unasked != nil
				w.snapshotIs(s, Snapshot{
					Dead:     []Dead{told},
					Returned: failure.moved, Failure: errRefused,
				})
				if got, want := s.Dead[0].IsFailing(), i >= 2; got != want {
					t.Errorf("after %d failures: failing %t, want %t", i+1, got, want)
				}
				w.wakesIn(pause)
				w.pass(pause - 1)
				w.todo()
				w.pass(1)
			}
			w.do("confirm and return a", result{moved: 1})
			w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, Returned: 1, RecheckAt: w.now.Add(time.Minute)})
		})
	}
}

// Of several failures it is always the same one that is shown.
func TestTheFirstFailureByNameIsShown(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a", "b", "c")...)
	todo := w.todo("return a", "return b", "return c")
	for _, i := range []int{1, 0, 2} {
		w.finish(todo[i], result{err: errors.New(todo[i].worker)})
	}
	if s := w.look(ended("a", "b", "c")...); s.Failure == nil || s.Failure.Error() != "a" {
		t.Errorf("shown: %v, want that of a", s.Failure)
	}
}

// Of several tries since the last snapshot it is the last one's failure that is shown.
func TestTheLastFailureOfAWorkerIsShown(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a")...)
	w.do("return a", result{err: errors.New("first")})
	w.pass(time.Second)
	w.do("return a", result{err: errRefused})
	w.snapshotIs(w.look(ended("a")...), Snapshot{
		Dead:    []Dead{failed("a", Ended, 2, errRefused)},
		Failure: errRefused,
	})
}

// The list of a worker that the broker does not let anybody empty is empty all the same: somebody else has done it.
func TestAFailingListThatIsEmptyIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.vanishes("a")
	w.do("confirm and return a", result{err: errRefused})
	w.wokenIs(ours)
	w.look()
	w.pass(time.Minute)
	w.readings[main.Key] = readingOf(w.now, 0)
	w.todo() // and no call
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{Failure: nil})
	w.wakesIn(0)
}

// A fleet that loses a worker every second while nothing can be returned is told so a few times in half a minute, and goes
// on being told.
func TestHowOftenFailuresAreTold(t *testing.T) {
	w := newWorld(t)
	told := 0
	const minutes = 5
	for i := range minutes * 60 {
		w.look(alive(many(i + 1)[i])...)
		for _, each := range w.next(w.now) {
			w.finish(each, result{unclaimed: errRefused})
		}
		if w.look().Failure != nil {
			told++
		}
		w.pass(time.Second)
	}
	if most := mostFailures * minutes * 2; told > most || told < most-mostFailures {
		t.Errorf("%d failures are told in %d minutes, want %d", told, minutes, most)
	}
}
