package recovery

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
)

// unsearched is a world whose fleet's place has yet to be searched.
func unsearched(t *testing.T) *world {
	return worldOf(t, Names{
		Family: func(f Fleet) string { return f.Name },
		FamilyOf: func(worker string) string {
			family, _, _ := strings.Cut(worker, "-")
			return family
		},
	})
}

// other is one round of another fleet's reconciler.
func (w *world) other(name string, place Place) Snapshot {
	return w.observe(Fleet{Name: name}, Observation{Now: w.now, Places: []Place{place}, At: func(string) Place { return place }})
}

// What died while no operator watched is found, of those that are the fleet's own and whose pods are not there.
func TestWhatASearchFinds(t *testing.T) {
	w := unsearched(t)
	w.snapshotIs(w.look(alive("ours-there")...), Snapshot{Searches: []Search{{Place: main}}})
	walk := w.todo("search x")
	w.todo()
	w.finish(walk[0], result{holders: append(holding("q", "ours-dead", "ours-there", "theirs-dead"), holding("another queue", "ours-far")...)})
	w.wokenIs(ours)
	w.todo("count theirs-dead for ours", "confirm and return ours-dead") // at once, and nobody else
	w.snapshotIs(w.look(alive("ours-there")...), Snapshot{Dead: []Dead{dead("ours-dead", Gone)}})
	w.pass(time.Minute)
	w.look(alive("ours-there")...)
	w.todo()
	w.wakesIn(0)
}

// Who is known to have died needs not be found.
func TestASearchFindsNobodyTwice(t *testing.T) {
	w := unsearched(t)
	w.look(alive("ours-dead")...)
	w.look()
	todo := w.todo("search x", "confirm and return ours-dead")
	w.finish(todo[0], result{holders: holding("q", "ours-dead")})
	w.todo()
	w.finish(todo[1], result{moved: 1})
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("ours-dead", Lingering)}, Returned: 1, RecheckAt: after(time.Minute)})
}

// What a walk has found is found once, also by who asks later: once it was dealt with it does not come back.
func TestWhatWasFoundDoesNotComeBack(t *testing.T) {
	w := unsearched(t)
	w.other("theirs", main)
	w.do("search x", result{holders: holding("q", "ours-dead")})
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("ours-dead", Gone)}})
	w.do("confirm and return ours-dead", result{})
	w.look()
	w.pass(time.Minute)
	w.readings[main.Key] = readingOf(w.now, 0)
	w.look()
	w.snapshotIs(w.look(), Snapshot{})
	w.todo()
}

// A fleet whose place was searched does not wait for the walk of another.
func TestAFleetThatHasItsAnswerDoesNotAskAgain(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{})
	theirs := Observation{Now: w.now, Mode: Declined, Places: []Place{main}, At: w.seen.At}
	w.observe(Fleet{Name: "theirs"}, theirs)
	w.pass(time.Second)
	w.other("theirs", main)
	w.todo("search x")
	w.snapshotIs(w.look(), Snapshot{})
}

// One walk serves all who ask, now and later, and nobody is woken for nothing.
func TestOneWalkServesAll(t *testing.T) {
	w := unsearched(t)
	elsewhere := Place{Broker: "x", Queue: "other", Key: backlog.Key{Name: "elsewhere"}, Revision: "r"}
	w.readings[elsewhere.Key] = backlog.Reading{Known: true}
	w.look()
	w.other("theirs", elsewhere)
	w.do("search x", result{holders: holding("other", "theirs-dead", "late-dead")})
	w.wokenIs(Fleet{Name: "theirs"})
	w.snapshotIs(w.other("theirs", elsewhere), Snapshot{Dead: []Dead{dead("theirs-dead", Gone)}})
	w.snapshotIs(w.other("late", elsewhere), Snapshot{Dead: []Dead{dead("late-dead", Gone)}})
	w.snapshotIs(w.look(), Snapshot{})
	w.todo("confirm and return late-dead", "confirm and return theirs-dead")
}

// Where a broker keeps no tasks by worker there are no holders.
func TestABrokerThatKeepsNoTasksByWorkerNeedsNoSearch(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{err: errors.ErrUnsupported})
	w.wokenIs()
	w.snapshotIs(w.look(), Snapshot{})
	w.todo()
}

// A fleet that is being deleted waits for the end of the search, whatever it finds.
func TestAFleetThatIsBeingDeletedIsWokenAtTheEnd(t *testing.T) {
	w := unsearched(t)
	w.seen.Deleting = true
	w.look()
	w.do("search x", result{})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{})
}

// A walk that fails is tried again after a pause that doubles, and who waits for it is told once that goes on, once, and
// once it is over.
func TestASearchThatFailsIsTold(t *testing.T) {
	w := unsearched(t)
	waiting := Search{Place: main}
	for i, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		pause *= time.Second
		w.snapshotIs(w.look(), Snapshot{Searches: []Search{waiting}})
		w.do("search x", result{err: errRefused})
		if i == 2 {
			waiting.Err, waiting.Failed = errRefused, true
			w.wokenIs(ours)
		} else {
			w.wokenIs()
		}
		w.wakesIn(pause)
		w.pass(pause - 1)
		w.todo()
		w.pass(1)
	}
	w.do("search x", result{})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{})
}

// walksFail has walks fail, each of which is told to some.
func (w *world) walksFail(told ...[]Fleet) {
	w.Helper()
	for _, want := range told {
		w.do("search x", result{err: errRefused})
		w.wokenIs(want...)
		w.pass(time.Minute)
	}
}

// Who does not look meanwhile is told once all the same.
func TestThatASearchFailsIsToldOnce(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.walksFail(nil, nil, []Fleet{ours}, nil, nil)
}

// The failures are counted from the last walk that came to its end.
func TestTheFailuresOfALaterSearchAreCountedAnew(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{})
	w.seen.Mode = Declined
	w.look()
	w.pass(time.Second)
	w.seen.Mode = Active
	w.look()
	w.walksFail(nil, nil, []Fleet{ours})
}

func TestAWalkThatFailsOnceIsNoNews(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{err: errRefused})
	w.pass(time.Second)
	w.do("search x", result{})
	w.wokenIs()
	w.snapshotIs(w.look(), Snapshot{})
}

// What was found before the tasks were ours to return again is not all, and a walk that began before is not enough.
func TestAWalkThatBeganTooEarlyIsFollowedByAnother(t *testing.T) {
	w := unsearched(t)
	w.look()
	early := w.todo("search x")
	w.pass(time.Second)
	w.seen.Mode = Declined
	w.snapshotIs(w.look(), Snapshot{})
	w.pass(time.Second)
	w.seen.Mode = Active
	w.snapshotIs(w.look(), Snapshot{Searches: []Search{{Place: main}}})
	w.todo()
	w.finish(early[0], result{holders: holding("q", "ours-early")})
	w.snapshotIs(w.look(), Snapshot{Searches: []Search{{Place: main}}})
	w.wakesIn(8 * time.Second) // the first has taken two
	w.pass(8 * time.Second)
	w.do("search x", result{holders: holding("q", "ours-early", "ours-late")})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("ours-early", Gone), dead("ours-late", Gone)}})
}

// A walk that began just after the tasks were last declined is enough. One that began at the same moment may have been
// before.
func TestWhenAWalkMustBegin(t *testing.T) {
	for passed, want := range map[time.Duration][]string{0: {"search x"}, 1: nil} {
		w := unsearched(t)
		w.seen.Mode = Declined
		w.look()
		w.pass(passed)
		w.other("theirs", main)
		walk := w.todo("search x")
		w.seen.Mode = Active
		w.look()
		w.finish(walk[0], result{})
		w.look()
		w.todo(want...)
	}
}

// A place is searched once it can be read. A former one that cannot be is given up after ten minutes.
func TestAPlaceThatCannotBeReadIsNotSearched(t *testing.T) {
	failing := failedReading(t0, 0)
	cases := map[string]struct {
		reading  backlog.Reading
		now      time.Duration
		searches []Search
		wake     time.Time
	}{
		"the former place was never read":        {backlog.Reading{}, 59 * time.Minute, []Search{{Place: former, Former: true}}, time.Time{}},
		"the former place fails":                 {failing, 0, []Search{{Place: former, Former: true, Err: errRefused}}, after(10 * time.Minute)},
		"it has failed for almost ten minutes":   {failing, 10*time.Minute - 1, []Search{{Place: former, Former: true, Err: errRefused}}, after(10 * time.Minute)},
		"the former place fails for ten minutes": {failing, 10 * time.Minute, nil, time.Time{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.seen.Places = []Place{main, former}
			w.readings[former.Key] = c.reading
			w.pass(c.now)
			w.snapshotIs(w.look(), Snapshot{Searches: c.searches, RecheckAt: c.wake})
			w.todo()
			w.wakesIn(0)
		})
	}
	t.Run("the former place can be read again after it was given up", func(t *testing.T) {
		w := newWorld(t)
		w.seen.Places = []Place{main, former}
		w.readings[former.Key] = failing
		w.pass(10 * time.Minute)
		w.look()
		w.readings[former.Key] = backlog.Reading{Known: true}
		w.snapshotIs(w.look(), Snapshot{Searches: []Search{{Place: former, Former: true}}})
		w.todo("search old")
	})
	t.Run("the present place fails for an hour", func(t *testing.T) {
		w := unsearched(t)
		w.readings[main.Key] = failing
		w.pass(time.Hour)
		w.snapshotIs(w.look(), Snapshot{Searches: []Search{{Place: main, Err: errRefused}}})
		w.todo()
	})
}

// A walk is not tried again for those whose queue cannot be read meanwhile.
func TestAWalkThatFailsWithItsBrokerWaitsForIt(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{err: errRefused})
	w.readings[main.Key] = failedReading(w.now, 0)
	w.pass(time.Hour)
	w.todo()
	w.askedIs()
	w.wakesIn(0)
	w.readings[main.Key] = backlog.Reading{Known: true}
	w.look()
	w.todo("search x")
}

// Nobody searches for a fleet that is gone, or whose tasks are not ours to return.
func TestNobodySearchesForWhoDoesNotAsk(t *testing.T) {
	for _, mode := range []Mode{Suspended, Declined, Abandoned} {
		w := unsearched(t)
		w.seen.Mode = mode
		var want []Search
		if mode == Suspended {
			want = []Search{{Place: main}} // its place is kept for that
		}
		w.snapshotIs(w.look(), Snapshot{Searches: want})
		w.todo()
		w.askedIs()
		w = unsearched(t)
		w.look() // it asked, and then its mode changed before the walk began
		w.seen.Mode = mode
		w.snapshotIs(w.look(), Snapshot{Searches: want})
		w.todo()
		w = unsearched(t)
		w.look()
		w.other("theirs", main)
		w.seen.Mode = mode
		w.look()
		w.todo("search x") // for the others
	}
	w := unsearched(t)
	w.look()
	w.forget(ours)
	w.todo()
	w.askedIs()
}

// askedIs checks of which servers somebody asks.
func (w *world) askedIs(want ...string) {
	w.Helper()
	var got []string
	for s := range w.asked {
		got = append(got, s.keys)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("asked of (-want +got):\n%s", diff)
	}
}

// The keys of a broker of which no fleet uses anything any more are not remembered.
func TestABrokerThatNobodyUsesIsForgotten(t *testing.T) {
	w := unsearched(t)
	w.look()
	walk := w.todo("search x")
	w.seen.Places, w.seen.At = []Place{former}, func(string) Place { return former }
	w.look()
	w.finish(walk[0], result{holders: holding("q", "ours-dead")})
	w.wokenIs()
	if diff := cmp.Diff(1, len(w.paces)); diff != "" {
		t.Errorf("brokers (-want +got):\n%s", diff)
	}
}
