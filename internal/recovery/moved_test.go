package recovery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
)

// A broker may have no user for a moment, as while the revisions of a QWorker are not to be read. Who waits for it is
// called once it is back.
func TestARecordOutlivesItsBrokersPace(t *testing.T) {
	w := newWorld(t)
	w.vanishes("a")
	w.do("confirm and return a", result{presence: Present})
	w.look() // it waits for its turn

	w.seen.Places = nil
	w.look()
	w.todo()

	w.seen.Places = []Place{main}
	w.look()
	w.pass(time.Second)
	w.do("confirm and return a", result{moved: 3})
	w.snapshotIs(w.look(), Snapshot{
		Dead: []Dead{dead("a", Lingering)}, Returned: 3, RecheckAt: w.now.Add(time.Minute),
	})
}

// A record that waits at a former place is called at the present one once the former is forgotten.
func TestARecordMovesOnWhenItsPlaceIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.readings[former.Key] = backlog.Reading{Known: true, ReadAt: w.now}
	w.seen.Places, w.seen.At = []Place{main, former}, func(string) Place { return former }
	w.look(alive("a")...)
	w.do("search old", result{})
	w.look()
	w.do("confirm and return a", result{presence: Present})
	w.look()

	w.seen.Places, w.seen.At = []Place{main}, func(string) Place { return main }
	w.look()
	w.pass(time.Second)
	if todo := w.todo("confirm and return a"); todo[0].pace.id != main.Broker {
		t.Errorf("it is called at %s, want %s", todo[0].pace.id, main.Broker)
	}
}

// What a broker answers while a new revision is published may be the answer of another broker: the key that was asked
// for is that of another queue by then. Tasks must not pass for returned that are not.
func TestAnAnswerOfAnotherPlaceSaysNothing(t *testing.T) {
	answers := map[string]result{
		"nothing was to be moved there": {},
		"it is refused there":           {err: errRefused},
	}
	places := map[string]Place{
		"another broker and queue":          former,
		"another queue of the same broker":  {Broker: main.Broker, Queue: "other", Key: former.Key, Revision: "r0"},
		"the same key, of another's broker": {Broker: former.Broker, Queue: main.Queue, Key: main.Key, Revision: "r0"},
	}
	for of, place := range places {
		for name, answer := range answers {
			t.Run(of+", "+name, func(t *testing.T) {
				w := newWorld(t)
				w.readings[former.Key] = backlog.Reading{Known: true, ReadAt: w.now}
				w.vanishes("a")
				asked := w.todo("confirm and return a")
				w.seen.Places, w.seen.At = []Place{main, place}, func(string) Place { return place }
				w.look()
				w.next(w.now) // the other place is searched

				w.finish(asked[0], answer)
				if diff := cmp.Diff([]Dead{dead("a", Gone)}, w.look().Dead); diff != "" {
					t.Errorf("the dead (-want +got):\n%s", diff)
				}
				if again := w.todo("confirm and return a"); again[0].key != place.Key || again[0].pace.id != place.Broker {
					t.Errorf("it is asked for %v at %s, want %v at %s", again[0].key, again[0].pace.id, place.Key, place.Broker)
				}
			})
		}
	}
}
