package recovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// unservedIs checks which brokers are to be told of queues that nobody serves.
func (w *world) unservedIs(want map[string]backlog.Unserved) {
	w.Helper()
	if diff := cmp.Diff(want, w.takeUnserved(w.now)); diff != "" {
		w.Errorf("after %s, unserved (-want +got):\n%s", w.now.Sub(t0), diff)
	}
}

// Lists of queues that no fleet serves are counted for every broker that sees them, and nothing is done to them.
func TestListsOfQueuesThatNobodyServes(t *testing.T) {
	w := unsearched(t)
	second := Place{Broker: "y", Queue: "r", Key: backlog.Key{Name: "second"}, Revision: "r"}
	elsewhere := Place{Broker: "z", Queue: "far", Key: backlog.Key{Name: "elsewhere"}, Revision: "r"}
	w.readings[second.Key] = backlog.Reading{Known: true, ReadAt: t0}
	w.sees("x", "shared")
	w.sees("y", "shared")
	w.look()
	w.other("theirs", second)
	w.other("remote", elsewhere)
	w.unservedIs(map[string]backlog.Unserved{})
	holders := holding("q", "ours-alive", "laptop-1")                                          // the fleet's own status has them
	holders = append(holders, holding("r", "laptop-2")...)                                     // and another's, at another broker of the same keys
	holders = append(holders, holding("s", "old-1", "old-2")...)                               // nobody has these
	holders = append(holders, holding("t", "ours-former")...)                                  // nor one of a former queue
	holders = append(holders, holding("far", "remote-1")...)                                   // a fleet's own, which reaches the server by another name
	holders = append(holders, holding("far", "laptop-3")...)                                   // but this one may be of another server's queue
	holders = append(holders, broker.Holder{Queues: []string{"{q}", "q"}, Worker: "laptop-4"}) // of either queue
	w.finish(w.next(w.now)[0], result{holders: holders})
	w.unservedIs(map[string]backlog.Unserved{}) // other fleets may be yet to be observed
	w.pass(settling)
	found := backlog.Unserved{Known: true, Lists: 4, Queues: 3}
	w.unservedIs(map[string]backlog.Unserved{"x": found, "y": found})

	// A broker that comes to share the keys later is told at once, and one that nobody uses any more is told that.
	third := Place{Broker: "w", Queue: "q", Key: backlog.Key{Name: "third"}, Revision: "r"}
	w.sees("w", "shared")
	w.other("late", third)
	w.unservedIs(map[string]backlog.Unserved{"w": found})
	w.forget(Fleet{Name: "late"})
	w.unservedIs(map[string]backlog.Unserved{"w": {Known: true}})

	// A search that fails says nothing. The next that does not says what is there then.
	w.pass(time.Hour)
	for _, each := range w.next(w.now) {
		if each.search != nil {
			w.finish(each, result{err: errRefused})
		}
	}
	w.unservedIs(map[string]backlog.Unserved{})
	w.pass(time.Hour)
	for _, each := range w.next(w.now) {
		if each.search != nil {
			w.finish(each, result{})
		}
	}
	w.unservedIs(map[string]backlog.Unserved{"x": {Known: true}, "y": {Known: true}})
}

// After a start fleets are observed one after another, and the walk that the first asks for may end before the last is. The
// lists of its workers are not told as those of a queue that nobody serves, neither then nor later.
func TestAFleetThatIsObservedAfterTheWalkServesItsQueue(t *testing.T) {
	w, second := ofTwo(t)
	w.look()
	w.do("search x", result{holders: append(holding("r", "theirs-1", "theirs-2"), holding("s", "old-1")...)})
	w.pass(time.Second)
	w.unservedIs(map[string]backlog.Unserved{})
	w.other("theirs", second)
	if at := w.tellUnservedAt(); !at.Equal(t0.Add(settling)) {
		t.Errorf("it is told at %s, want %s after the start", at, settling)
	}
	w.pass(settling - time.Second)
	found := backlog.Unserved{Known: true, Lists: 1, Queues: 1}
	w.unservedIs(map[string]backlog.Unserved{"x": found, "y": found})
	if at := w.tellUnservedAt(); !at.IsZero() {
		t.Errorf("something is to be told at %s after it was told", at)
	}

	// Whoever comes later takes away what is its own, and adds nothing: what others have left may be returned by now.
	w.forget(Fleet{Name: "theirs"})
	w.unservedIs(map[string]backlog.Unserved{"y": {Known: true}})
	w.other("old", Place{Broker: "x", Queue: "s", Key: main.Key, Revision: "r"})
	w.unservedIs(map[string]backlog.Unserved{"x": {Known: true}})
}

// A fleet that reaches the server by another name serves its queue too, and one whose server becomes known later.
func TestAFleetServesItsQueueByWhateverName(t *testing.T) {
	w, second := ofTwo(t)
	w.sees("z", "")
	w.look()
	w.do("search x", result{holders: append(holding("r", "theirs-1"), holding("u", "foreign-1")...)})
	w.pass(settling)
	w.unservedIs(map[string]backlog.Unserved{"x": {Known: true, Lists: 2, Queues: 2}})
	second.Broker = "z"
	w.other("theirs", second)
	w.unservedIs(map[string]backlog.Unserved{"x": {Known: true, Lists: 1, Queues: 1}})
	late := Place{Broker: "z", Queue: "u", Key: main.Key, Revision: "r"}
	w.other("late", late)
	w.unservedIs(map[string]backlog.Unserved{})
	w.sees("z", "shared")
	w.other("late", late)
	w.unservedIs(map[string]backlog.Unserved{"x": {Known: true}, "z": {Known: true}})
}

// Where a walk finds more than is kept, the fleet that comes later has another, and that is waited for.
func TestAFleetServesItsQueueWhereMuchIsFound(t *testing.T) {
	w, second := ofTwo(t)
	holders := append(holding("r", "theirs-1"), holding("q", strings.Repeat("x", mostKept))...)
	w.look()
	walk := w.todo("search x")[0]
	w.pass(5 * time.Second)
	w.finish(walk, result{holders: slices.Clone(holders)})
	w.other("theirs", second)
	w.pass(settling)
	w.unservedIs(map[string]backlog.Unserved{})
	if at := w.tellUnservedAt(); !at.IsZero() {
		t.Errorf("it is told at %s, before the other walk has ended", at)
	}
	w.pass(settling)
	for _, each := range w.next(w.now) {
		if each.search != nil {
			w.finish(each, result{holders: slices.Clone(holders)})
		}
	}
	w.unservedIs(map[string]backlog.Unserved{"x": {Known: true}, "y": {Known: true}})
}

// ofTwo has a fleet that was not looked at, and the place of another at the same server.
func ofTwo(t *testing.T) (*world, Place) {
	w := unsearched(t)
	second := Place{Broker: "y", Queue: "r", Key: backlog.Key{Name: "second"}, Revision: "r"}
	w.readings[second.Key] = backlog.Reading{Known: true, ReadAt: t0}
	w.sees("x", "shared")
	w.sees("y", "shared")
	return w, second
}

// Other applications read streams by groups of their own, whose consumers are nobody's workers. Those of a consumer group
// whose names an operator has made are counted.
func TestConsumersOfOtherApplications(t *testing.T) {
	w := unsearched(t)
	w.look()
	theirs := broker.NameOf("events", "billing")
	holders := append(holding(theirs, "-foreign", "ours-former"), holding("list", "-foreign")...)
	w.finish(w.next(w.now)[0], result{holders: holders})
	w.pass(settling)
	w.unservedIs(map[string]backlog.Unserved{"x": {Known: true, Lists: 2, Queues: 2}})
}
