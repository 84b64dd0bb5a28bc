package recovery

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/broker"
)

// What a walk has found is kept for who comes later, up to 256 KiB. Beyond, it is dropped once all who asked have their answer,
// and who comes later has a walk of its own.
func TestWhatAWalkHasFoundIsKeptWithinABound(t *testing.T) {
	most := strings.Repeat("x", mostKept-len("q")-nameSize)
	for name, c := range map[string]struct {
		holder string
		todo   []string
	}{
		"the most that is kept": {most, nil},
		"one byte more":         {most + "x", []string{"search x"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := unsearched(t)
			w.look()
			w.do("search x", result{holders: holding("q", c.holder)})
			w.finish(w.next(w.now)[0], result{counts: []int64{0}})
			w.other("late", Place{Broker: "x", Queue: "other", Key: main.Key, Revision: "r"})
			w.todo(c.todo...)
			kept := 0
			for _, workers := range w.searches["x"].holders {
				kept += len(workers)
			}
			if want := map[bool]int{true: 1}[c.todo == nil]; kept != want {
				t.Errorf("%d names are kept, want %d", kept, want)
			}
		})
	}
}

// Who asked has its answer, whatever is kept of it. Who comes later finds the same by a walk of its own.
func TestALateFleetHasItsAnswerBehindMuchThatIsInvented(t *testing.T) {
	w := unsearched(t)
	found := result{holders: holding("q", append(many(5000), "ours-dead", "late-dead")...)}
	w.look()
	w.do("search x", found)
	w.snapshotIs(Snapshot{Dead: w.look().Dead}, Snapshot{Dead: []Dead{dead("ours-dead", Gone)}})
	w.next(w.now)
	w.other("late", main)
	walk := w.next(w.now)
	w.finish(walk[0], found)
	w.snapshotIs(Snapshot{Dead: w.other("late", main).Dead}, Snapshot{Dead: []Dead{dead("late-dead", Gone)}})
	for ask, s := range w.census.unknownHolders {
		if got := cap(s.workers); got > 2*mostUnknownHolders {
			t.Errorf("of the unknown holders of %s, %d names are kept", ask.fleet.name.Name, got)
		}
	}
}

// What is kept of all servers is bounded. Those with the most names go first, however many they are and whoever came first: a
// server with few always has room.
func TestWhatIsKeptOfAllServersIsBounded(t *testing.T) {
	w := unsearched(t)
	search := func(broker string, names int) {
		fleet := "of " + broker
		w.other(fleet, Place{Broker: broker, Queue: "q", Key: main.Key, Revision: "r"})
		holder := strings.Repeat("x", 900)
		for _, each := range w.next(w.now) {
			switch {
			case each.search != nil && each.pace.id == broker:
				var found []string
				for i := range names {
					found = append(found, fmt.Sprint(holder, i))
				}
				w.finish(each, result{holders: holding("q", found...)})
			case each.search != nil:
				w.finish(each, result{})
			}
		}
	}
	search("few-1", 3)
	const many, each = 200, 200
	for i := range many {
		search(fmt.Sprint("many-", i), each)
	}
	search("few-2", 3)
	size, kept := 0, map[bool]int{}
	for keys, s := range w.searches {
		size += s.size
		if len(s.holders) > 0 {
			kept[strings.HasPrefix(keys, "few")]++
		}
	}
	if size > mostKeptOfAll || size < mostKeptOfAll*9/10 {
		t.Errorf("%d bytes are kept, want as much as may be, which is %d", size, mostKeptOfAll)
	}
	if diff := cmp.Diff(map[bool]int{true: 2, false: mostKeptOfAll / (each * (903 + nameSize))}, kept); diff != "" {
		t.Errorf("servers of which names are kept, few and many (-want +got):\n%s", diff)
	}
}

// A name that is kept does not keep the key that it is a part of.
func TestNamesAreKeptWithoutTheirKeys(t *testing.T) {
	w := unsearched(t)
	w.look()
	walk := w.todo("search x")[0]
	const keys, size = 100, 100 << 10
	inUse := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := inUse()
	w.finish(walk, result{holders: func() (holders []broker.Holder) {
		for i := range keys {
			worker := fmt.Sprint("ours-dead-", i)
			key := fmt.Sprint("q", i, strings.Repeat("x", size), worker)
			holders = append(holders, broker.Holder{Queues: []string{key[:2]}, Worker: key[len(key)-len(worker):]})
		}
		return holders
	}()})
	if kept := w.searches["x"].holders; len(kept) != 10 {
		t.Fatalf("the names of %d queues are kept", len(kept))
	}
	if took := inUse() - before; took > 3*size {
		t.Errorf("%d names take %d KiB", keys, took>>10)
	}
	runtime.KeepAlive(w)
}

// What is dropped is found by another walk.
func TestWhatIsDroppedIsSearchedAgain(t *testing.T) {
	w := unsearched(t)
	w.look()
	w.do("search x", result{holders: holding("q", "late-dead")})
	w.searches["x"].drop()
	w.pass(mostRest)
	w.other("late", main)
	w.todo("search x")
}

// The bound of all is met exactly, or one byte beyond it.
func TestWhereTheBoundOfAllServersIs(t *testing.T) {
	const full, count = mostKept, mostKeptOfAll / mostKept
	sizes := func(n int, more ...int) []int { return append(slices.Repeat([]int{full}, n), more...) }
	for name, c := range map[string]struct {
		sizes []int
		kept  int
	}{
		"as much as is kept":      {sizes(count), count},
		"beside one with nothing": {sizes(count, full+1), count}, // it has too much, and that is dropped at once
		"one byte more":           {sizes(count-1, full/2, full/2+1), count},
		"one server more":         {sizes(count + 1), count},
		"one has more than many":  {append(slices.Repeat([]int{full / 2}, 2*count), full), 2 * count},
	} {
		t.Run(name, func(t *testing.T) {
			w := unsearched(t)
			for i, size := range c.sizes {
				server := fmt.Sprintf("server-%03d", i)
				w.other(server, Place{Broker: server, Queue: "q", Key: main.Key, Revision: "r"})
				for _, each := range w.next(w.now) {
					if each.search != nil {
						w.finish(each, result{holders: holding("q", strings.Repeat("x", size-len("q")-nameSize))})
					}
				}
			}
			kept := 0
			for _, s := range w.searches {
				if s.known {
					kept++
				}
			}
			if kept != c.kept {
				t.Errorf("%d servers' names are kept, want %d", kept, c.kept)
			}
		})
	}
}
