package recovery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
)

// A queue that cannot be read costs no call, and no failure; the reconciler is woken when that changes.
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
		w.do("return back", result{})
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
