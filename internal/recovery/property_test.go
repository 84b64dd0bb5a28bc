package recovery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/propertytest"
)

// truth is what there is, whatever the reconciler sees of it: pods, and lists at a broker.
type truth struct {
	*core
	now  time.Time
	pods map[string]string // "runs" or "ended"; the rest are gone
	held map[string]int64
	// shown are the pods as the cache shows them, which may be behind.
	shown    map[string]string
	readable bool
	underWay []work
	died     map[string]time.Time
}

func newTruth() *truth {
	w := &truth{now: t0, pods: map[string]string{}, held: map[string]int64{}, shown: map[string]string{}, died: map[string]time.Time{}, readable: true}
	w.core = newCore(func(backlog.Key) backlog.Reading {
		r := backlog.Reading{Known: true, ReadAt: w.now, Depth: broker.Depth{Held: maps.Clone(w.held)}}
		if !w.readable {
			r.Err, r.ErrSince = errRefused, w.now
		}
		return r
	}, func(broker string) backlog.Server { return backlog.Server{Keys: broker} }, Names{
		Family: func(Fleet) string { return "w" }, FamilyOf: func(string) string { return "w" },
	})
	return w
}

func (w *truth) look(mode Mode) Snapshot {
	var workers []Worker
	for _, name := range slices.Sorted(maps.Keys(w.shown)) {
		workers = append(workers, Worker{Name: name, Revision: "r", Ended: w.shown[name] == "ended"})
	}
	return w.observe(ours, Observation{Now: w.now, Mode: mode, Workers: workers, Places: []Place{main}, At: func(string) Place { return main }})
}

// answer ends a work as the API server and the broker have it, or fails it.
func (w *truth) answer(t *rapid.T, each work, failure int) {
	var res result
	switch {
	case each.search != nil:
		for worker, n := range w.held {
			if n > 0 {
				res.holders = append(res.holders, broker.Holder{Queues: []string{"q"}, Worker: worker})
			}
		}
	case each.confirm && w.pods[each.worker] != "":
		res.presence = Present
	case w.pods[each.worker] == "runs":
		t.Fatalf("the tasks of %s are returned, and it runs", each.worker)
	case failure == 0:
		res.moved = w.held[each.worker]
		delete(w.held, each.worker)
	}
	switch {
	case failure == 1 && each.confirm:
		res = result{unasked: errRefused}
	case failure == 1, failure == 2:
		res.err = errRefused
	case failure == 3:
		res.err = context.DeadlineExceeded
	}
	w.done(each, res, w.now)
}

// TestWhateverFails has workers come, die and vanish, a cache that is behind, and calls that fail. No task is returned
// while its worker may be alive; in the end every task of a dead worker is back; and while nothing changes there is no
// call but a few by time.
func TestWhateverFails(t *testing.T) {
	propertytest.Check(t, func(t *rapid.T) {
		w, names := newTruth(), 0
		pick := func(pods map[string]string) string {
			return rapid.SampledFrom(slices.Sorted(maps.Keys(pods))).Draw(t, "pod")
		}
		mode := Active
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1:
				names++
				name := fmt.Sprintf("w-%02d", names)
				w.pods[name], w.held[name] = "runs", rapid.Int64Range(0, 2).Draw(t, "held")
				w.note(ours, alive(name))
			case 2:
				if len(w.pods) > 0 {
					w.pods[pick(w.pods)] = "ended"
				}
			case 3:
				if len(w.pods) > 0 {
					name := pick(w.pods)
					delete(w.pods, name)
					w.died[name] = w.now
				}
			case 4: // a request that was on the way; one of a worker of which nobody knows would be found by a later search alone
				for _, name := range slices.Sorted(maps.Keys(w.died)) {
					known := w.fleets[ours] != nil && w.fleets[ours].records[name] != nil
					if known && w.now.Sub(w.died[name]) < time.Second && rapid.Bool().Draw(t, "late") {
						w.held[name]++
					}
				}
			case 5: // the cache misses a pod that is there
				w.shown = maps.Clone(w.pods)
				if len(w.shown) > 0 && rapid.Bool().Draw(t, "behind") {
					delete(w.shown, pick(w.shown))
				}
				w.look(mode)
			case 6:
				w.shown = maps.Clone(w.pods)
				w.look(mode)
			case 7:
				w.readable = rapid.Bool().Draw(t, "readable")
				mode = rapid.SampledFrom([]Mode{Active, Active, Suspended, Declined}).Draw(t, "mode")
			case 8:
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
			case 9:
				w.underWay = append(w.underWay, w.next(w.now)...)
				for len(w.underWay) > 0 && rapid.Bool().Draw(t, "ends") {
					each := w.underWay[0]
					w.underWay = w.underWay[1:]
					w.answer(t, each, rapid.IntRange(0, 3).Draw(t, "failure"))
				}
			}
		}
		w.calm(t)
	})
}

// calm ends all trouble, and checks that everything comes out right, and then rests.
func (w *truth) calm(t *rapid.T) {
	w.readable, w.shown = true, maps.Clone(w.pods)
	for _, each := range w.underWay {
		w.answer(t, each, 0)
	}
	calls := 0
	for range 200 { // a quarter of an hour: a longest pause, a lingering, the rest after a walk, and some
		w.look(Active)
		for _, each := range w.next(w.now) {
			calls++
			w.answer(t, each, 0)
		}
		w.now = w.now.Add(5 * time.Second)
	}
	for name, n := range w.held {
		if n > 0 && w.pods[name] != "runs" {
			t.Errorf("%d tasks of %s are not returned: %+v", n, name, w.look(Active))
		}
	}
	if most := 2 + 3*len(w.fleets[ours].seen) + 3*60; calls > most {
		t.Errorf("%d calls until all was returned", calls)
	}
	if len(w.busy) > 0 {
		t.Errorf("%v have something to do, and nothing has changed", w.busy)
	}
	searches := 0
	for range 60 {
		w.look(Active)
		for _, each := range w.next(w.now) {
			if each.search != nil { // the last may have been an hour ago
				searches++
				w.answer(t, each, 0)
			}
			if each.search == nil || searches > 1 {
				t.Errorf("there is something to do, and nothing has changed: %s", describe(each))
			}
		}
		w.now = w.now.Add(5 * time.Second)
	}
}
