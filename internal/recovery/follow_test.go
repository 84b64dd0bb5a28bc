package recovery

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
)

// sees has the keys of a broker become others, as where it is reached with another user.
func (w *world) sees(broker, keys string) { w.servers[broker] = backlog.Server{Keys: keys} }

func (w *world) searchesAre(want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(w.searches))); diff != "" {
		w.Errorf("searches (-want +got):\n%s", diff)
	}
}

// What is asked of a search goes with the broker to the search of the keys that it sees from now on.
func TestAQuestionGoesWithItsBroker(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.sees("x", "others")
	w.look()
	w.searchesAre("others")
	w.askedIs("others")
	w.do("search x", result{holders: holding("q", "ours-dead")})
	w.wokenIs(ours)
	w.askedIs()
	w.todo("confirm and return ours-dead")
}

// And so does what another fleet has asked there, whoever looks first.
func TestAQuestionOfAnotherFleetGoesWithItsBroker(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{})
	w.searches["x"].drop()
	w.other("theirs", main)
	w.sees("x", "others")
	w.look()
	w.pass(mostRest)
	w.do("search x", result{holders: holding("q", "theirs-dead")})
	w.wokenIs(Fleet{Name: "theirs"})
}

// A search that others still share stays with what they have asked.
func TestAQuestionOfAnotherBrokerStays(t *testing.T) {
	w := unsearched(t)
	second := Place{Broker: "y", Queue: "q", Key: backlog.Key{Name: "second"}, Revision: "r"}
	w.readings[second.Key] = backlog.Reading{Known: true, ReadAt: t0}
	w.sees("x", "shared")
	w.sees("y", "shared")
	w.look()
	w.other("theirs", second)
	w.sees("x", "others")
	w.look()
	w.searchesAre("others", "shared")
	w.todo("search x", "search y")
}

// A broker whose keys become known later is searched then.
func TestABrokerIsSearchedOnceItIsKnownWhatItSees(t *testing.T) {
	w := unsearched(t)
	w.servers["x"] = backlog.Server{Obstacle: errRefused}
	w.look()
	w.todo()
	w.searchesAre()
	w.sees("x", "x")
	w.look()
	w.todo("search x")
}

// twoPlaces is a fleet at two brokers, with unknown holders at both.
func twoPlaces(t *testing.T) *world {
	w := unsearched(t)
	w.readings[former.Key] = backlog.Reading{Known: true, ReadAt: t0}
	w.seen.Places = []Place{main, former}
	w.look()
	walks := w.todo("search old", "search x")
	w.finish(walks[0], result{holders: holding("q", "desktop")})
	w.finish(walks[1], result{holders: holding("q", "former-b", "former-a")})
	return w
}

// Unknown holders of all places are told together, each counted at its own.
func TestUnknownHoldersAtTwoPlaces(t *testing.T) {
	w := twoPlaces(t)
	counts := w.todo("count desktop for ours", "count former-a former-b for ours")
	if diff := cmp.Diff([]backlog.Key{former.Key, main.Key}, []backlog.Key{counts[0].key, counts[1].key}); diff != "" {
		t.Errorf("counted at (-want +got):\n%s", diff)
	}
	w.finish(counts[0], result{counts: []int64{3}})
	if w.look().UnknownHolders.Known {
		t.Error("it is known what they hold before all are counted")
	}
	w.finish(counts[1], result{counts: []int64{1, 2}})
	want := UnknownHolders{Known: true, Workers: []string{"desktop", "former-a", "former-b"}, Lists: 3, Tasks: 6}
	if diff := cmp.Diff(want, w.look().UnknownHolders); diff != "" {
		t.Errorf("unknownHolders (-want +got):\n%s", diff)
	}
	w.pass(recountEvery)
	w.todo("count desktop for ours", "count former-a former-b for ours")
	w.todo() // they are under way
	w.seen.Mode = Declined
	if diff := cmp.Diff(UnknownHolders{Known: true}, w.look().UnknownHolders); diff != "" {
		t.Errorf("where nothing is ours to return (-want +got):\n%s", diff)
	}
}

// A walk that finds others keeps the number of before until they are counted, and a count of those before says nothing.
func TestUnknownHoldersAreFoundAnew(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{holders: holding("q", "laptop")})
	w.do("count laptop for ours", result{counts: []int64{7}})
	w.look()
	w.pass(time.Hour)
	todo := w.next(w.now)
	slices.SortFunc(todo, func(a, b work) int { return len(describe(a)) - len(describe(b)) })
	walk, count := todo[0], todo[1]
	w.finish(walk, result{holders: holding("q", "laptop", "former")})
	told := func(want UnknownHolders) {
		t.Helper()
		if diff := cmp.Diff(want, w.look().UnknownHolders); diff != "" {
			t.Errorf("unknownHolders (-want +got):\n%s", diff)
		}
	}
	told(UnknownHolders{Known: true, Workers: []string{"former", "laptop"}, Lists: 2, Tasks: 7})
	w.finish(count, result{counts: []int64{0}})
	w.wokenIs()
	told(UnknownHolders{Known: true, Workers: []string{"former", "laptop"}, Lists: 2, Tasks: 7})
	w.do("count former laptop for ours", result{counts: []int64{1, 1}})
	told(UnknownHolders{Known: true, Workers: []string{"former", "laptop"}, Lists: 2, Tasks: 2})
	w.takeWoken()
	w.pass(time.Hour)
	for _, each := range w.next(w.now) {
		w.finish(each, result{counts: []int64{1, 1}}) // the walk finds nobody
	}
	w.wokenIs(ours)
	told(UnknownHolders{Known: true})
}
