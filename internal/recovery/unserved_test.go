package recovery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// unservedIs checks which brokers are to be told of queues that nobody serves.
func (w *world) unservedIs(want map[string]backlog.Unserved) {
	w.Helper()
	if diff := cmp.Diff(want, w.takeUnserved()); diff != "" {
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
