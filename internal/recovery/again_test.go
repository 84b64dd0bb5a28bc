package recovery

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
)

// reconnected has the connection of a broker be made again now.
func (w *world) reconnected(broker string) {
	server := w.serverOf(broker)
	server.Changed = w.now
	w.servers[broker] = server
}

// A list that turns up later is found: ten seconds after a new connection, and an hour after the last search.
func TestWhatTurnsUpLaterIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*world)
		within  time.Duration
	}{
		"the server was restored, or a replica was promoted": {func(w *world) {
			w.pass(time.Minute)
			w.reconnected("x")
			w.look()
		}, 10 * time.Second},
		"and others look meanwhile, which does not put it off": {func(w *world) {
			w.reconnected("x")
			w.look()
			w.pass(4 * time.Second)
			w.look()
		}, 6 * time.Second},
		"nothing has happened": {func(*world) {}, time.Hour},
		"nobody has looked for an hour and the queue could not be read": {func(w *world) {
			w.readings[main.Key] = failedReading(w.now, 0)
			w.pass(2 * time.Hour)
			w.todo()
			w.readings[main.Key] = backlog.Reading{Known: true, ReadAt: w.now}
			w.look()
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.happens(w)
			if c.within > 0 {
				w.pass(c.within - 1)
				w.todo()
				w.pass(1)
			}
			w.do("search x", result{holders: holding("q", "late", "foreign")})
			w.wokenIs(ours)
			w.finish(w.todo("count foreign for ours", "confirm and return late")[1], result{moved: 3})
			w.snapshotIs(w.look(), Snapshot{Dead: []Dead{dead("late", Lingering)}, Returned: 3, RecheckAt: w.now.Add(time.Minute)})
		})
	}
}

// A search that is made again holds up nothing: a QWorker that is deleted does not wait for it.
func TestASearchAgainIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.seen.Deleting = true
	w.reconnected("x")
	w.snapshotIs(w.look(), Snapshot{})
	w.pass(settling)
	w.do("search x", result{})
	w.wokenIs()
}

// A connection that is made anew while a walk is under way has another walk follow, ten seconds after it and no sooner.
func TestAConnectionThatIsMadeDuringAWalk(t *testing.T) {
	w := newWorld(t)
	w.searches["x"].drop()
	w.other("theirs", main)
	walk := w.todo("search x")
	w.pass(time.Second)
	w.reconnected("x")
	w.look()
	w.finish(walk[0], result{})
	w.wakesIn(settling)
	w.pass(settling)
	w.todo("search x")
}

// What has become old is looked for when the first of it has, and not whenever there is something to do.
func TestHowOftenSomebodyLooksForWhatIsOld(t *testing.T) {
	w := newWorld(t)
	asked := 0
	w.server = func(broker string) backlog.Server {
		asked++
		return w.serverOf(broker)
	}
	for _, want := range []int{0, 1} {
		w.pass(searchEvery - 1)
		w.next(w.now)
		if asked != want {
			t.Errorf("servers are asked %d times after %s, want %d", asked, w.now.Sub(t0), want)
		}
	}
}

// What is old is searched again of fleets whose tasks are ours to return now, and of places that have been searched.
func TestWhatIsNotSearchedAgain(t *testing.T) {
	for name, change := range map[string]func(*world){
		"nobody knows whether the tasks are ours": func(w *world) { w.seen.Mode = Suspended },
		"there is no way to return them":          func(w *world) { w.seen.Mode = Abandoned },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			w.look()
			w.pass(searchEvery)
			w.todo()
		})
	}
	t.Run("its queue was never read when the fleet looked", func(t *testing.T) {
		w := newWorld(t)
		w.seen.Places = []Place{main, former}
		w.look()
		w.readings[former.Key] = backlog.Reading{Known: true} // and its fleet is woken for that
		w.pass(searchEvery)
		w.do("search x", result{})
		w.pass(settling)
		w.todo()
	})
}

// A place that was searched is searched again though it cannot be read any more, where the fleet has another at the same
// broker. That of another broker says nothing.
func TestWhichFormerPlacesAreSearchedAgain(t *testing.T) {
	for broker, want := range map[string][]Dead{main.Broker: {dead("late", Gone)}, former.Broker: nil} {
		t.Run(broker, func(t *testing.T) {
			place := Place{Broker: broker, Queue: "former", Key: former.Key, Revision: "r"}
			w := newWorld(t)
			w.seen.Places = []Place{main, place}
			w.readings[former.Key] = backlog.Reading{Known: true}
			w.look()
			for _, each := range w.next(w.now) {
				w.finish(each, result{})
			}
			w.look()
			w.readings[former.Key] = backlog.Reading{}
			w.pass(time.Minute)
			w.reconnected(broker)
			w.look()
			w.pass(settling)
			for _, each := range w.next(w.now) {
				w.finish(each, result{holders: holding("former", "late")})
			}
			if diff := cmp.Diff(want, w.look().Dead); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

// A place that was never searched must be readable when the walk begins, whatever else can be read there.
func TestAPlaceThatCannotBeReadAnyMoreIsNotSearched(t *testing.T) {
	place := Place{Broker: main.Broker, Queue: "former", Key: former.Key, Revision: "r"}
	w := newWorld(t)
	w.searches["x"].drop()
	w.seen.Places = []Place{main, place}
	w.readings[former.Key] = backlog.Reading{Known: true}
	w.look()
	w.readings[former.Key] = backlog.Reading{}
	w.todo()
}

// tenants are fleets of as many namespaces that reach one server, each with a connection of its own.
func tenants(t *testing.T, n int, users func(i int) backlog.Server) (w *world, look func()) {
	w = unsearched(t)
	look = func() {
		for i := range n {
			place := Place{Broker: fmt.Sprintf("tenant-%03d", i), Queue: fmt.Sprintf("q%d", i), Key: backlog.Key{Name: fmt.Sprint(i)}, Revision: "r"}
			w.servers[place.Broker] = users(i)
			w.readings[place.Key] = backlog.Reading{Known: true}
			w.observe(Fleet{Namespace: fmt.Sprint(i), Name: fmt.Sprintf("f%d", i)}, Observation{Now: w.now, Places: []Place{place}, At: func(string) Place { return place }})
		}
	}
	return w, look
}

// walked counts the walks over so long, each of which takes a minute.
func (w *world) walked(over time.Duration) (n int) {
	var walks []work
	for end := w.now.Add(over); w.now.Before(end); w.pass(time.Second) {
		for _, each := range w.next(w.now) {
			if each.search != nil {
				walks = append(walks, each)
			}
		}
		for len(walks) > 0 && w.now.Sub(walks[0].began) >= time.Minute {
			w.finish(walks[0], result{holders: holding("q7", "f7-dead")})
			walks = walks[1:]
			n++
		}
	}
	return n
}

// 500 tenants of one server cost it one walk at the start, one at each failover, though they connect one after another,
// and one an hour.
func TestManyTenantsOfOneServerAreOneWalk(t *testing.T) {
	changed := time.Time{}
	w, look := tenants(t, 500, func(i int) backlog.Server {
		server := backlog.Server{Keys: "one"}
		if !changed.IsZero() {
			server.Changed = changed.Add(time.Duration(i%10) * 900 * time.Millisecond)
		}
		return server
	})
	look()
	got := []int{w.walked(10 * time.Minute)}
	for range 2 {
		changed = w.now
		look() // those that connect later have their time in the future here: they look again
		w.pass(8100 * time.Millisecond)
		look()
		got = append(got, w.walked(20*time.Minute))
	}
	got = append(got, w.walked(55*time.Minute))
	if diff := cmp.Diff([]int{1, 1, 1, 1}, got); diff != "" {
		t.Errorf("walks at the start, at two failovers, and in the next hour (-want +got):\n%s", diff)
	}
	found := w.fleets[Fleet{Namespace: "7", Name: "f7"}].records["f7-dead"]
	if found == nil {
		t.Error("what the walk of another has found is not known to the fleet whose it is")
	}
}

// Who sees other keys is searched by itself, and so is who does not know yet what it sees, once it does.
func TestWhoSeesOtherKeysIsSearchedByItself(t *testing.T) {
	third := "" // while it is not known what they see, nobody searches for them
	w, look := tenants(t, 6, func(i int) backlog.Server { return backlog.Server{Keys: []string{"one", "other", third}[i%3]} })
	look()
	if n := w.walked(10 * time.Minute); n != 2 {
		t.Errorf("%d walks, want one for each of two servers", n)
	}
	third = "third"
	look()
	if n := w.walked(10 * time.Minute); n != 1 {
		t.Errorf("%d walks once the third server is known, want one", n)
	}
}

// While another operator has the claim, it is said that nobody can look.
func TestWhatIsInTheWayOfASearchIsTold(t *testing.T) {
	w := unsearched(t)
	w.servers["x"] = backlog.Server{Obstacle: errRefused}
	w.snapshotIs(w.look(), Snapshot{Searches: []Search{{Place: main, Err: errRefused, Failed: true}}})
	w.todo()
	w.servers["x"] = backlog.Server{}
	w.snapshotIs(w.look(), Snapshot{Searches: []Search{{Place: main}}})
	w.todo()
	w.servers["x"] = backlog.Server{Keys: "x"}
	w.look()
	w.todo("search x")
}

// A user who may not search is served by one who may.
func TestTheRightOfOneUserServesAll(t *testing.T) {
	w, look := tenants(t, 3, func(int) backlog.Server { return backlog.Server{Keys: "one"} })
	look()
	w.do("search tenant-000", result{err: errRefused})
	w.pass(time.Second)
	w.do("search tenant-001", result{holders: holding("q0", "f0-dead")})
	w.wokenIs(Fleet{Namespace: "0", Name: "f0"})
	w.todo("confirm and return f0-dead")
}

// A server is left alone for four times as long as a walk has taken, and for ten minutes at most.
func TestAServerIsLeftAloneAfterAWalk(t *testing.T) {
	for took, rest := range map[time.Duration]time.Duration{
		time.Second: 4 * time.Second, 150 * time.Second: 10 * time.Minute, 9 * time.Minute: 10 * time.Minute,
	} {
		w := unsearched(t)
		w.look()
		walk := w.todo("search x")
		w.pass(took)
		w.finish(walk[0], result{})
		w.seen.Mode = Declined
		w.look()
		w.pass(1)
		w.seen.Mode = Active
		w.look()
		w.wakesIn(rest - 1)
		w.pass(rest - 2)
		w.todo()
		w.pass(1)
		w.todo("search x")
	}
}
