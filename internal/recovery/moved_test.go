package recovery

import (
	"testing"
	"time"

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
	cases := map[string]result{
		"nothing was to be moved there": {},
		"it is refused there":           {err: errRefused},
	}
	for name, answer := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.readings[former.Key] = backlog.Reading{Known: true, ReadAt: w.now}
			w.vanishes("a")
			asked := w.todo("confirm and return a")
			w.seen.Places, w.seen.At = []Place{main, former}, func(string) Place { return former }
			w.look()
			w.do("search old", result{})

			w.finish(asked[0], answer)
			w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("a", Gone)}})
			if again := w.todo("confirm and return a"); again[0].key != former.Key {
				t.Errorf("it is asked for %v, want %v", again[0].key, former.Key)
			}
		})
	}
}
