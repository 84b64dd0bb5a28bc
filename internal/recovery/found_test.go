package recovery

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// At most 1,000 dead workers of a fleet are taken in from searches at once. The others are searched for once half of these are
// done; until all are found the search is not over.
func TestManyThatAreFoundAreTakenInByAThousand(t *testing.T) {
	w := newWorld(t)
	w.seen.Deleting = true
	names := many(mostFound + 1)
	w.pass(time.Hour)
	w.look()
	w.do("search x", result{holders: holding("q", names...)})
	s := w.look()
	w.takeWoken()
	got := fmt.Sprint(len(s.Dead), " dead, ", len(s.Searches), " searches")
	if diff := cmp.Diff(fmt.Sprint(mostFound, " dead, 1 searches"), got); diff != "" {
		t.Fatalf("taken in (-want +got):\n%s", diff)
	}
	returned := map[string]bool{}
	for len(returned) < mostFound {
		todo := w.next(w.now)
		if len(todo) == 0 {
			t.Fatalf("nothing more to be done after %d", len(returned))
		}
		for _, each := range todo {
			returned[each.worker] = true
			w.finish(each, result{moved: 1})
		}
	}
	w.look()
	w.todo() // they are watched for a minute
	w.pass(time.Minute)
	w.readings[main.Key] = readingOf(w.now, 0)
	w.look()
	walk := w.todo("search x")
	left := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return returned[name] })
	w.finish(walk[0], result{holders: holding("q", left...)})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead(left[0], Gone)}})
	w.todo("confirm and return " + left[0])
}

// The place is searched again once half of those that were taken in are done, and not while one more is left.
func TestWhenTheOthersAreSearchedFor(t *testing.T) {
	for left, want := range map[int][]string{mostFound/2 + 1: nil, mostFound / 2: {"search x"}} {
		w := newWorld(t)
		w.pass(time.Hour)
		w.look()
		w.do("search x", result{holders: holding("q", many(mostFound+1)...)})
		w.look()
		for done := 0; done < mostFound-left; {
			for _, each := range w.next(w.now) {
				res := result{presence: Present} // it is tried again later
				if done < mostFound-left {
					res.presence = Foreign
					done++
				}
				w.finish(each, res)
			}
		}
		w.look()
		var got []string
		for _, each := range w.next(w.now) {
			if each.search != nil {
				got = append(got, describe(each))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with %d left, searches (-want +got):\n%s", left, diff)
		}
	}
}

// A fleet whose tasks are not ours to return waits for none of those that could not be taken in.
func TestWhatCouldNotBeTakenInIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.pass(time.Hour)
	w.look()
	w.do("search x", result{holders: holding("q", many(mostFound+1)...)})
	w.seen.Mode = Declined
	w.look()
	if n := len(w.fleets[ours].more); n != 0 {
		t.Errorf("%d places have more, want none", n)
	}
}

// The place of a revision is asked for once, however many of its workers have died.
func TestThePlaceOfARevisionIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	w.look(alive(many(100)...)...)
	asked := map[string]int{}
	w.seen.At = func(revision string) Place {
		asked[revision]++
		return main
	}
	w.look()
	if diff := cmp.Diff(map[string]int{"r": 1}, asked); diff != "" {
		t.Errorf("revisions whose place was asked for (-want +got):\n%s", diff)
	}
}

// What earlier searches have found counts too.
func TestEarlierSearchesLeaveRoomForSoMany(t *testing.T) {
	w := newWorld(t)
	w.findMany(mostFound - 1)
	w.next(w.now)
	w.pass(time.Hour)
	w.look()
	for _, each := range w.next(w.now) {
		if each.search != nil {
			w.finish(each, result{holders: holding("q", "x-1", "x-2", "x-3")})
		}
	}
	if n := len(w.look().Dead); n != mostFound {
		t.Errorf("%d dead workers are known, want %d", n, mostFound)
	}
}
