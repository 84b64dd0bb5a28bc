package recovery

import (
	"fmt"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

var errPending = fmt.Errorf("x, %w", backlog.ErrClaimPending)

// While the operator before this one may return the tasks, nobody is told of a failure. Each second one asks again,
// however long that takes, and then they are returned at once.
func TestATakeoverDelaysAReturnAndIsNoFailure(t *testing.T) {
	for name, pending := range map[string]result{
		"it is known before":                 {unclaimed: errPending},
		"the claim expires on the way to it": {err: errPending},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.look(alive("a", "b")...)
			w.look()
			for range 30 {
				for _, each := range w.todo("confirm and return a", "confirm and return b") {
					w.finish(each, pending)
				}
				w.wokenIs()
				w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Gone), dead("b", Gone)}})
				w.wakesIn(time.Second)
				w.pass(time.Second - 1)
				w.todo()
				w.pass(1)
			}
			for _, each := range w.todo("confirm and return a", "confirm and return b") {
				w.finish(each, result{moved: 1})
			}
			w.snapshotIs(w.look(), Snapshot{
				Dead: []Dead{dead("a", Lingering), dead("b", Lingering)}, Returned: 2, RecheckAt: w.now.Add(time.Minute),
			})
		})
	}
}

// Another operator of the same cluster is a failure like others.
func TestARivalIsAFailure(t *testing.T) {
	w := newWorld(t)
	w.vanishes("a")
	w.do("confirm and return a", result{unclaimed: errRefused})
	w.wokenIs(ours)
	w.snapshotIs(w.look(), Snapshot{
		Dead: []Dead{failed("a", Gone, 1, errRefused)}, Failure: errRefused,
	})
}
