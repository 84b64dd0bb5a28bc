package recovery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
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
	w.finish(w.todo("confirm and return a")[0], result{moved: 1})
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
	w.finish(w.todo("confirm and return a")[0], result{presence: Present})
	w.wokenIs() // it is a matter of moments
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{{Worker: "a", Revision: "r", State: Gone}}})
	w.todo()
	w.wakesIn(time.Second)
	w.pass(time.Second)
	w.finish(w.todo("confirm and return a")[0], result{})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, RecheckAt: w.now.Add(time.Minute)})
}

func TestAWorkerThatTheCacheShowsAgainIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.look(alive("a")...)
	w.look()
	under := w.todo("confirm and return a")
	w.snapshotIs(w.look(alive("a")...), Snapshot{})
	w.finish(under[0], result{presence: Present})
	w.snapshotIs(w.look(alive("a")...), Snapshot{})
	w.pass(10 * time.Minute)
	w.todo()
}

func TestAWorkerThatIsSomebodyElsesIsNotLookedAfter(t *testing.T) {
	w := newWorld(t)
	w.look(alive("a")...)
	w.look()
	w.finish(w.todo("confirm and return a")[0], result{presence: Foreign})
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

// Each failure in its turn: the pause doubles, the third is told of, and nothing is done in between.
func TestARefusedReturnIsTriedAgain(t *testing.T) {
	failures := map[string]result{
		"the API server does not answer": {unasked: errRefused},
		"the broker refuses":             {err: errRefused},
		"the broker refuses half-way":    {err: errRefused, moved: 1},
	}
	for name, failure := range failures {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.look(alive("a")...)
			w.look()
			for i, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
				pause *= time.Second
				w.finish(w.todo("confirm and return a")[0], failure)
				w.wokenIs(ours)
				s := w.look()
				w.snapshotIs(s, Snapshot{
					Dead:     []Dead{{Worker: "a", Revision: "r", State: Gone, Refusals: i + 1, Err: errRefused}},
					Returned: failure.moved, Refusal: errRefused,
				})
				if got, want := s.Dead[0].IsRefused(), i >= 2; got != want {
					t.Errorf("after %d refusals: refused %t, want %t", i+1, got, want)
				}
				w.wakesIn(pause)
				w.pass(pause - 1)
				w.todo()
				w.pass(1)
			}
			w.finish(w.todo("confirm and return a")[0], result{moved: 1})
			w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering)}, Returned: 1, RecheckAt: w.now.Add(time.Minute)})
		})
	}
}

// Of several refusals it is always the same one that is shown.
func TestTheFirstRefusalByNameIsShown(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a", "b", "c")...)
	todo := w.todo("return a", "return b", "return c")
	for _, i := range []int{1, 0, 2} {
		w.finish(todo[i], result{err: errors.New(todo[i].worker)})
	}
	if s := w.look(ended("a", "b", "c")...); s.Refusal == nil || s.Refusal.Error() != "a" {
		t.Errorf("shown: %v, want that of a", s.Refusal)
	}
}

// Of several tries since the last snapshot it is the last one's refusal that is shown.
func TestTheLastRefusalOfAWorkerIsShown(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a")...)
	w.finish(w.todo("return a")[0], result{err: errors.New("first")})
	w.pass(time.Second)
	w.finish(w.todo("return a")[0], result{err: errRefused})
	w.snapshotIs(w.look(ended("a")...), Snapshot{
		Dead:    []Dead{{Worker: "a", Revision: "r", State: Ended, Refusals: 2, Err: errRefused}},
		Refusal: errRefused,
	})
}

// Whoever has looked since is not woken for what it has seen.
func TestNobodyIsWokenForWhatItHasSeen(t *testing.T) {
	w := newWorld(t)
	w.look(ended("a")...)
	w.finish(w.todo("return a")[0], result{})
	w.look(ended("a")...)
	w.wokenIs()
}

// The snapshot changes by time when the first of two lists is not watched any more.
func TestTheFirstOfTwoThatLingerWakes(t *testing.T) {
	w := newWorld(t)
	w.look(alive("a", "b")...)
	w.look(alive("b")...)
	w.finish(w.todo("confirm and return a")[0], result{})
	w.pass(time.Second)
	w.look()
	w.finish(w.todo("confirm and return b")[0], result{})
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Lingering), dead("b", Lingering)}, RecheckAt: after(time.Minute)})
	w.pass(59 * time.Second)
	w.readings[main.Key] = readingOf(w.now, 0)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("b", Lingering)}, RecheckAt: after(61 * time.Second)})
}

// The list of a worker that the broker does not let anybody empty is empty all the same: somebody else has done it.
func TestARefusedListThatIsEmptyIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.look(alive("a")...)
	w.look()
	w.finish(w.todo("confirm and return a")[0], result{err: errRefused})
	w.wokenIs(ours)
	w.look()
	w.pass(time.Minute)
	w.readings[main.Key] = readingOf(w.now, 0)
	w.todo() // and no call
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{Refusal: nil})
	w.wakesIn(0)
}

// A queue that cannot be read costs no call, and no refusal; the reconciler is woken when that changes.
func TestNothingIsTriedWhileTheQueueCannotBeRead(t *testing.T) {
	for name, reading := range map[string]backlog.Reading{
		"it was never read": {},
		"its reads fail":    failedReading(t0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.look(ended("a")...)
			w.readings[main.Key] = reading
			w.todo()
			for range 3 {
				w.snapshotIs(w.look(ended("a")...), Snapshot{Dead: []Dead{dead("a", Ended)}})
				w.todo()
				w.wakesIn(0)
				w.pass(10 * time.Minute)
			}
			w.readings[main.Key] = readingOf(w.now, 0)
			w.look(ended("a")...)
			w.todo("return a")
		})
	}
}

func TestNothingIsTriedThatIsNotOursToReturn(t *testing.T) {
	for _, mode := range []Mode{Suspended, Declined, Abandoned} {
		w := newWorld(t)
		w.look(ended("a")...)
		w.seen.Mode = mode
		w.look(ended("a")...)
		w.todo()
		w.look()
		w.todo()
		w.pass(10 * time.Minute)
		w.todo()
	}
}

// What a fleet knows is kept while its ScalerConfig is away, and given up when it says that nothing is to be returned.
func TestWhatBecomesOfTheRecordsWhereNothingIsOursToReturn(t *testing.T) {
	cases := map[Mode][]Dead{
		Suspended: {dead("back", Returned), dead("ended", Ended), dead("gone", Gone)},
		Abandoned: {dead("back", Returned), dead("ended", Ended), dead("gone", Gone)},
		Declined:  {dead("back", Returned)},
	}
	for mode, want := range cases {
		w := newWorld(t)
		w.look(ended("back")...)
		w.finish(w.todo("return back")[0], result{})
		w.look(append(ended("back"), alive("ended", "gone")...)...)
		w.seen.Mode = mode
		s := w.look(ended("back", "ended")...)
		if diff := cmp.Diff(want, s.Dead); diff != "" {
			t.Errorf("mode %d: the dead (-want +got):\n%s", mode, diff)
		}
		w.pass(time.Second)
		w.look(ended("back", "ended")...)
		w.seen.Mode = Active
		w.pass(time.Second)
		w.look(ended("back", "ended")...)
		switch mode {
		case Declined:
			w.todo("search x", "return ended") // the one that is gone is among those that are searched for
		default:
			w.todo("return ended", "confirm and return gone")
		}
	}
}

// At most so many calls at once, and the next as soon as one has ended.
func TestHowManyCallsABrokerGetsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(100)...)...)
	todo := w.next(w.now)
	if diff := cmp.Diff(many(32), namesOf(todo)); diff != "" {
		t.Fatalf("the first (-want +got):\n%s", diff)
	}
	w.wakesIn(0) // a call that ends wakes
	w.todo()
	w.finish(todo[5], result{})
	if at := w.recheckAt(w.now); !at.Equal(w.now) {
		t.Errorf("one call has ended, and the next is to begin at %s, want now", at)
	}
	w.todo("return w-0032")
	calls := 33
	for _, each := range todo[6:] {
		w.finish(each, result{})
	}
	for todo = w.next(w.now); len(todo) > 0; todo = w.next(w.now) {
		calls += len(todo)
		for _, each := range todo {
			w.finish(each, result{})
		}
	}
	if calls != 100 {
		t.Errorf("%d calls for 100 workers", calls)
	}
}

// A broker that does not answer is left alone for a pause that doubles, however many wait for it, and those that wait
// are refused as those are that were tried: their pods must not pile up.
func TestABrokerThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	names := many(100)
	w.look(ended(names...)...)
	timeout := fmt.Errorf("returning, %w", context.DeadlineExceeded)
	for round, pause := range []time.Duration{1, 2, 4} {
		pause *= time.Second
		todo := w.next(w.now)
		if len(todo) != 32 {
			t.Fatalf("round %d: %d calls, want 32", round, len(todo))
		}
		w.pass(5 * time.Second)
		for _, each := range todo {
			w.finish(each, result{err: timeout})
		}
		s := w.look(ended(names...)...)
		for _, d := range s.Dead {
			if d.Refusals != round+1 && d.Refusals != 1 || !errors.Is(d.Err, context.DeadlineExceeded) {
				t.Fatalf("round %d: %+v", round, d)
			}
		}
		if got, want := s.Dead[99].IsRefused(), round == 2; got != want {
			t.Errorf("round %d: the last one, which was never tried, is refused: %t, want %t", round, got, want)
		}
		w.wakesIn(pause)
		w.pass(pause - 1)
		w.todo()
		w.pass(1)
	}
	todo := w.next(w.now)
	w.finish(todo[0], result{})
	s := w.look(ended(names...)...)
	if s.Dead[99].Refusals != 0 {
		t.Errorf("the broker answers, and the last one has %d refusals", s.Dead[99].Refusals)
	}
	if n := len(w.next(w.now)); n != 1 {
		t.Errorf("%d more calls when one has been answered, want 1", n)
	}
}

// Those who wait with a broker that does not answer are woken when that is to be told, once.
func TestWhoWaitsForABrokerThatDoesNotAnswerIsWoken(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(4 * parallelCalls)...)...)
	theirs := Fleet{Namespace: "ns", Name: "theirs", UID: "2"}
	w.observe(theirs, Observation{Now: w.now, Workers: ended("zz"), Places: w.seen.Places, At: w.seen.At})
	for _, want := range [][]Fleet{{ours}, {ours}, {ours, theirs}, {ours}} {
		for _, each := range w.next(w.now) {
			w.finish(each, result{err: context.DeadlineExceeded})
		}
		w.wokenIs(want...)
		w.pass(time.Minute)
	}
}

// A worker that waits is refused by its broker's silence, but not one that was refused as often by an answer, nor one
// whose tasks are back.
func TestWhomTheSilenceOfABrokerConcerns(t *testing.T) {
	w := newWorld(t)
	w.look(ended("back")...)
	w.finish(w.todo("return back")[0], result{})
	w.look(ended("a", "b", "back")...)
	todo := w.todo("return a", "return b")
	w.finish(todo[0], result{err: errRefused})
	w.finish(todo[1], result{err: context.DeadlineExceeded})
	w.snapshotIs(w.look(ended("a", "b", "back", "late")...), Snapshot{
		Dead: []Dead{
			{Worker: "a", Revision: "r", State: Ended, Refusals: 1, Err: errRefused},
			{Worker: "b", Revision: "r", State: Ended, Refusals: 1, Err: context.DeadlineExceeded},
			dead("back", Returned),
			{Worker: "late", Revision: "r", State: Ended, Refusals: 1, Err: context.DeadlineExceeded},
		},
		Refusal: errRefused,
	})
}

// Brokers have nothing to do with each other.
func TestABrokerDoesNotWaitForAnother(t *testing.T) {
	w := newWorld(t)
	w.seen.Places = []Place{main, former}
	w.seen.At = func(revision string) Place { return map[string]Place{"r": main, "r0": former}[revision] }
	w.readings[former.Key] = backlog.Reading{Known: true}
	w.look()
	w.finish(w.todo("search old")[0], result{})
	workers := ended(many(40)...)
	for i := range workers[:35] {
		workers[i].Revision = "r0"
	}
	w.look(workers...)
	todo := w.next(w.now)
	if len(todo) != 32+5 {
		t.Fatalf("%d calls, want 32 of the one and 5 of the other", len(todo))
	}
	for _, each := range todo {
		if each.pace.id == "old" {
			w.finish(each, result{err: context.DeadlineExceeded})
		}
	}
	workers = append(workers, ended("z")...)
	w.look(workers...)
	w.todo("return z")
}

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

// The other fleets of its broker have nothing to do with it.
func TestNobodyReturnsTheTasksOfAFleetThatIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(40)...)...)
	theirs := Fleet{Namespace: "ns", Name: "theirs"}
	w.observe(theirs, Observation{Now: w.now, Workers: ended("z"), Places: w.seen.Places, At: w.seen.At})
	todo := w.next(w.now)
	w.finish(todo[0], result{})
	w.forget(ours)
	w.wokenIs()
	for _, each := range todo[1:] {
		w.finish(each, result{})
	}
	w.finish(w.todo("return z")[0], result{})
	w.wokenIs(theirs)
}

func TestNothingIsLeftOfAFleetThatIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.look(ended(many(40)...)...)
	todo := w.next(w.now)
	w.forget(ours)
	w.forget(ours)
	w.todo()
	w.finish(todo[0], result{moved: 1})
	w.finish(todo[1], result{err: errRefused})
	w.wokenIs()
	w.todo()
	w.wakesIn(0)
	if len(w.fleets) > 0 || len(w.paces) > 0 || len(w.busy) > 0 {
		t.Errorf("left: %d fleets, %d paces, %d busy brokers", len(w.fleets), len(w.paces), len(w.busy))
	}
}
