package recovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// world is a core with one fleet and time that stands still.
type world struct {
	*testing.T
	*core
	now      time.Time
	readings map[backlog.Key]backlog.Reading
	servers  map[string]backlog.Server
	// seen is what the reconciler sees next.
	seen Observation
}

var (
	ours   = Fleet{Namespace: "ns", Name: "ours", UID: "1"}
	main   = Place{Broker: "x", Queue: "q", Key: backlog.Key{Name: "main"}, Revision: "r"}
	former = Place{Broker: "old", Queue: "q", Key: backlog.Key{Name: "former"}, Revision: "r0"}
)

// newWorld has a fleet at the main place, which is read and was searched.
func newWorld(t *testing.T) *world {
	w := worldOf(t, Names{
		Family: func(Fleet) string { return "ours" },
		FamilyOf: func(worker string) string {
			if strings.HasPrefix(worker, "foreign") {
				return ""
			}
			return "ours"
		},
	})
	w.look()
	w.do("search x", result{})
	return w
}

// worldOf has a fleet at the main place, which is read and was not yet looked at.
func worldOf(t *testing.T, names Names) *world {
	w := &world{T: t, now: t0, readings: map[backlog.Key]backlog.Reading{}, servers: map[string]backlog.Server{}}
	w.core = newCore(func(key backlog.Key) backlog.Reading { return w.readings[key] }, w.serverOf, names)
	w.readings[main.Key] = backlog.Reading{Known: true, ReadAt: t0}
	w.seen = Observation{Places: []Place{main}, At: func(string) Place { return main }}
	return w
}

// serverOf is the server of a broker, which is one of its own unless servers has another.
func (w *world) serverOf(broker string) backlog.Server {
	if server, ok := w.servers[broker]; ok {
		return server
	}
	return backlog.Server{Keys: broker}
}

// look is one round of the reconciler.
func (w *world) look(workers ...Worker) Snapshot {
	w.seen.Now, w.seen.Workers = w.now, workers
	return w.observe(ours, w.seen)
}

// vanishes has a worker vanish.
func (w *world) vanishes(worker string) {
	w.look(alive(worker)...)
	w.look()
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// todo takes what is to be done now, which must be this.
func (w *world) todo(want ...string) []work {
	w.Helper()
	todo := w.next(w.now)
	var got []string
	for _, each := range todo {
		got = append(got, describe(each))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Fatalf("after %s, to be done (-want +got):\n%s", w.now.Sub(t0), diff)
	}
	return todo
}

func describe(each work) string {
	switch {
	case each.search != nil:
		return "search " + each.pace.id
	case each.count != nil:
		return "count " + strings.Join(each.count.workers, " ") + " for " + each.count.ask.fleet.name.Name
	case each.confirm:
		return "confirm and return " + each.worker
	default:
		return "return " + each.worker
	}
}

func (w *world) finish(each work, res result) { w.done(each, res, w.now) }

// do has the one work that is to be done now come to a result.
func (w *world) do(only string, res result) {
	w.Helper()
	w.finish(w.todo(only)[0], res)
}

// takeWoken is whom something matters to by now.
func (w *world) takeWoken() []Fleet { return w.core.takeWoken(w.now) }

// wokenIs checks whom something matters to.
func (w *world) wokenIs(want ...Fleet) {
	w.Helper()
	if diff := cmp.Diff(want, w.takeWoken()); diff != "" {
		w.Errorf("after %s, woken (-want +got):\n%s", w.now.Sub(t0), diff)
	}
}

func (w *world) snapshotIs(got, want Snapshot) {
	w.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors(), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(UnknownHolders{}, "Known")); diff != "" {
		w.Errorf("after %s, the snapshot (-want +got):\n%s", w.now.Sub(t0), diff)
	}
}

// wakesIn checks when there is something to do by time alone, 0 for never but the next search, when the last is an hour old.
func (w *world) wakesIn(want time.Duration) {
	w.Helper()
	got := w.recheckAt(w.now)
	if want == 0 && !got.IsZero() && got.Equal(w.renewAt) {
		return
	}
	if (want == 0) != got.IsZero() || (want > 0 && !got.Equal(w.now.Add(want))) {
		w.Errorf("after %s, there is something to do at %s, want in %s", w.now.Sub(t0), got, want)
	}
}

func alive(names ...string) (workers []Worker) {
	for _, name := range names {
		workers = append(workers, Worker{Name: name, Revision: "r"})
	}
	return workers
}

func ended(names ...string) []Worker {
	workers := alive(names...)
	for i := range workers {
		workers[i].Ended = true
	}
	return workers
}

func holding(queue string, workers ...string) (holders []broker.Holder) {
	for _, worker := range workers {
		holders = append(holders, broker.Holder{Queues: []string{queue}, Worker: worker})
	}
	return holders
}

func many(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("w-%04d", i))
	}
	return names
}

func dead(worker string, state State) Dead { return Dead{Worker: worker, Revision: "r", State: state} }

// failed is one whose tasks could not be returned.
func failed(worker string, state State, times int, err error) Dead {
	d := dead(worker, state)
	d.Failures, d.Err = times, err
	return d
}

func namesOf(todo []work) (names []string) {
	for _, each := range todo {
		names = append(names, each.worker)
	}
	slices.Sort(names)
	return names
}
