package recovery

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// strange has unknown holders of tasks of the queue, beside a worker of another fleet that serves it.
func strange(t *testing.T) *world {
	w := unsearched(t)
	w.look()
	w.other("theirs", main)
	w.do("search x", result{holders: holding("q", "theirs-alive", "laptop", "former-a", "former-b")})
	for _, each := range w.todo("count former-a former-b laptop for theirs", "count former-a former-b laptop for ours", "confirm and return theirs-alive")[:2] {
		w.finish(each, result{counts: []int64{2, 0, 5}})
	}
	return w
}

// Unknown holders are told with what they hold, and nothing is done to them.
func TestUnknownHoldersAreTold(t *testing.T) {
	w := strange(t)
	want := UnknownHolders{Known: true, Workers: []string{"former-a", "laptop"}, Lists: 2, Tasks: 7}
	if diff := cmp.Diff(want, w.look().UnknownHolders); diff != "" {
		t.Errorf("unknownHolders (-want +got):\n%s", diff)
	}
	w.takeWoken()
	w.pass(recountEvery - 1)
	w.todo()
	w.pass(1)
	for _, each := range w.todo("count former-a laptop for theirs", "count former-a laptop for ours") {
		w.finish(each, result{counts: []int64{2, 5}})
	}
	w.wokenIs() // nothing has changed
	w.pass(recountEvery)
	for _, each := range w.next(w.now) {
		w.finish(each, result{counts: []int64{0, 0}}) // somebody has returned them by hand
	}
	w.wokenIs(Fleet{Name: "theirs"}, ours)
	if diff := cmp.Diff(UnknownHolders{Known: true}, w.look().UnknownHolders); diff != "" {
		t.Errorf("unknownHolders (-want +got):\n%s", diff)
	}
	w.pass(recountEvery)
	w.todo()
}

// Each way in which it is not known what they hold.
func TestUnknownHoldersThatCannotBeCounted(t *testing.T) {
	for name, res := range map[string]result{
		"the broker refuses":       {err: errRefused},
		"it tells too few numbers": {counts: []int64{1}},
	} {
		w := unsearched(t)
		if got := w.look().UnknownHolders; got.Known {
			t.Error("nobody has looked, and it is known")
		}
		w.do("search x", result{holders: holding("q", "laptop", "other")})
		w.wokenIs() // what they hold is told with them
		if got := w.look().UnknownHolders; got.Known {
			t.Error("nobody has counted, and it is known")
		}
		w.do("count laptop other for ours", res)
		w.wokenIs(ours)
		if diff := cmp.Diff(UnknownHolders{Known: true, Workers: []string{"laptop", "other"}, Lists: 2}, w.look().UnknownHolders); diff != "" {
			t.Errorf("%s: unknownHolders (-want +got):\n%s", name, diff)
		}
		w.pass(recountEvery)
		w.do("count laptop other for ours", result{counts: []int64{1, 1}})
		w.wokenIs(ours)
	}
}

// Ten thousand lists are told, and a thousand of them are counted.
func TestManyUnknownHolders(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{holders: holding("q", many(1001)...)})
	todo := w.next(w.now)
	counts := make([]int64, len(todo[0].count.workers))
	counts[0] = 1
	w.finish(todo[0], result{counts: counts})
	got := w.look().UnknownHolders
	if diff := cmp.Diff(UnknownHolders{Known: true, Workers: []string{"w-0000"}, Lists: 2, Tasks: 1}, got); diff != "" {
		t.Errorf("unknownHolders (-want +got):\n%s", diff)
	}
}

// They are not told any more where the fleet does not serve the queue, or its tasks are not ours to return.
func TestUnknownHoldersAreForgotten(t *testing.T) {
	for name, change := range map[string]func(*world){
		"nothing is ours to return": func(w *world) { w.seen.Mode = Declined },
		"the fleet works elsewhere": func(w *world) {
			w.seen.Places, w.seen.At = []Place{former}, func(string) Place { return former }
		},
	} {
		w := strange(t)
		change(w)
		if got := w.look().UnknownHolders; got.Lists != 0 {
			t.Errorf("%s: unknownHolders are told: %+v", name, got)
		}
		w.forget(Fleet{Name: "theirs"})
		w.forget(ours)
		w.pass(time.Hour)
		w.todo()
		if len(w.census.unknownHolders)+len(w.searches)+len(w.asked)+len(w.census.served) > 0 {
			t.Errorf("%s: left: %d unknownHolders, %d searches, %d asked, %d served", name, len(w.census.unknownHolders), len(w.searches), len(w.asked), len(w.census.served))
		}
	}
}

// Somebody gives a fleet a pod with the name of another's worker. What that holds is not touched, whatever becomes of the
// pod.
func TestAPodWithAForeignNameIsNotItsList(t *testing.T) {
	w := unsearched(t)
	w.readings[main.Key] = backlog.Reading{Known: true}
	w.look(alive("theirs-a", "laptop")...)
	w.do("search x", result{})
	w.snapshotIs(w.look(ended("theirs-a", "laptop")...), Snapshot{})
	w.snapshotIs(w.look(), Snapshot{Vanished: 2})
	w.todo()
}

// However many lists there are, and however long their names, what is kept of them is bounded. How many they are is told.
func TestHowManyUnknownHoldersAreCounted(t *testing.T) {
	for name, c := range map[string]struct{ lists, length, want int }{
		"as many as are counted":      {mostUnknownHolders, 10, mostUnknownHolders},
		"one more":                    {mostUnknownHolders + 1, 10, mostUnknownHolders},
		"as long as they are counted": {64, longestUnknownHolders / 64, 64},
		"one of them is longer":       {64, longestUnknownHolders/64 + 1, 63},
		"one that is too long":        {1, longestUnknownHolders + 1, 0},
	} {
		w := unsearched(t)
		w.look()
		var workers []string
		for i := range c.lists {
			workers = append(workers, fmt.Sprintf("%0*d", c.length, i))
		}
		w.do("search x", result{holders: holding("q", workers...)})
		count := w.next(w.now)[0]
		counts := make([]int64, len(count.count.workers))
		for i := range counts {
			counts[i] = 1
		}
		w.finish(count, result{counts: counts})
		got := w.look().UnknownHolders
		if len(got.Workers) != c.want || got.Tasks != int64(c.want) || got.Lists != c.lists {
			t.Errorf("%s: %d workers with %d tasks are counted, of %d lists, want %d of %d", name, len(got.Workers), got.Tasks, got.Lists, c.want, c.lists)
		}
	}
}

// Where nothing is ours to return, nobody counts. Another fleet of the same queue goes on.
func TestUnknownHoldersAreCountedForWhoReturnsTasks(t *testing.T) {
	w := strange(t)
	w.seen.Mode = Declined
	w.look()
	w.pass(recountEvery)
	w.todo("count former-a laptop for theirs")
}

// A fleet that comes after the walk has its answer about unknown holders too.
func TestALateFleetIsToldOfUnknownHolders(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{holders: holding("q", "laptop")})
	w.other("late", main)
	w.todo("count laptop for late", "count laptop for ours")
}

// Each is counted when it is due, and not again while its count is under way.
func TestUnknownHoldersAreCountedEachAtItsTime(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{holders: holding("q", "laptop")})
	w.do("count laptop for ours", result{counts: []int64{1}})
	w.pass(time.Minute)
	w.other("late", main)
	w.do("count laptop for late", result{counts: []int64{1}})
	w.pass(recountEvery - time.Minute)
	hangs := w.todo("count laptop for ours")
	w.pass(time.Minute)
	w.do("count laptop for late", result{counts: []int64{1}})
	w.pass(recountEvery)
	w.do("count laptop for late", result{counts: []int64{1}})
	w.finish(hangs[0], result{counts: []int64{1}})
	w.pass(recountEvery)
	w.todo("count laptop for late", "count laptop for ours")
}

// What is to be counted at one time is counted in the order of the places.
func TestInWhichOrderUnknownHoldersAreCounted(t *testing.T) {
	w := unsearched(t)
	var holders []broker.Holder
	w.seen.Places = nil
	for _, queue := range strings.Fields("a b c d e f g h") {
		w.seen.Places = append(w.seen.Places, Place{Broker: "x", Queue: queue, Key: main.Key, Revision: "r"})
		holders = append(holders, holding(queue, "laptop")...)
	}
	w.look()
	w.do("search x", result{holders: holders})
	var got []string
	for _, each := range w.next(w.now) {
		got = append(got, each.count.place.Queue)
	}
	if diff := cmp.Diff(strings.Fields("a b c d e f g h"), got); diff != "" {
		t.Errorf("counted at (-want +got):\n%s", diff)
	}
}

// A fleet of the same queue that is observed after the walk has its workers known: they are told no more, and what the others
// have is counted anew, whatever a count says that is under way.
func TestALateFleetHasItsWorkersKnown(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{holders: holding("q", "laptop-1", "theirs-1", "third-1")})
	w.do("count laptop-1 theirs-1 third-1 for ours", result{counts: []int64{1, 2, 3}})
	w.snapshotIs(w.look(), Snapshot{UnknownHolders: UnknownHolders{Workers: []string{"laptop-1", "theirs-1", "third-1"}, Lists: 3, Tasks: 6}})
	w.other("theirs", Place{Broker: "z", Queue: "q", Key: main.Key, Revision: "r"})
	under := w.todo("search z", "count laptop-1 third-1 for ours")[1]
	w.other("third", Place{Broker: "z", Queue: "q", Key: main.Key, Revision: "r"})
	w.finish(under, result{counts: []int64{1, 3}})
	w.do("count laptop-1 for ours", result{counts: []int64{1}})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{UnknownHolders: UnknownHolders{Workers: []string{"laptop-1"}, Lists: 1, Tasks: 1}})
	w.other("laptop", Place{Broker: "z", Queue: "q", Key: main.Key, Revision: "r"})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{})
}
