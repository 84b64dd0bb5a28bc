package redis

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/bubbletest"
)

func pass(d time.Duration) { <-time.After(d) }

// read reads one page of a server, and returns how long it waited for its turn.
func read(t *testing.T, l *lanes, server string, wasQuick bool, takes time.Duration) (waited time.Duration) {
	began := time.Now()
	turn, err := l.turn(t.Context(), server, wasQuick)
	if err != nil { // the test has ended
		return 0
	}
	waited = time.Since(began)
	pass(takes)
	turn.done()
	return waited
}

// empty checks that no place is taken.
func empty(t *testing.T, l *lanes) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, each := range []*lane{l.quick, l.first, l.slow} {
		if each.taken != 0 || len(each.waiting) != 0 || len(each.used) != 0 || each.level != 0 {
			t.Errorf("a lane has %+v when all is over", *each)
		}
	}
	if l.late != 0 || len(l.overdue) != 0 {
		t.Errorf("%d late pages and %d overdue ones are left when all is over", l.late, len(l.overdue))
	}
}

// However many servers take as long as they may for each page, one that is quick waits for its turn no longer than a quick
// page takes, at its first page and at all others.
func TestAQuickServerDoesNotWaitForSlowOnes(t *testing.T) {
	const slow = 32
	bubbletest.Run(t, func(t *testing.T) {
		l := newLanes()
		for i := range slow {
			go func() {
				for range 5 {
					read(t, l, fmt.Sprint("slow-", i), false, pageTimeout)
				}
			}()
		}
		pass(time.Millisecond)
		for page := range 500 {
			if waited := read(t, l, "quick", page > 0, time.Millisecond); waited > quickPage {
				t.Fatalf("page %d waited for %s", page, waited)
			}
			pass(10 * time.Millisecond)
		}
		pass(time.Hour)
		empty(t, l)
	})
}

// Servers that were quick and are slow all at once hold up the others for one quick page.
func TestServersThatTurnSlow(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := newLanes()
		for i := range 32 {
			go read(t, l, fmt.Sprint("slow-", i), true, pageTimeout)
		}
		pass(time.Millisecond)
		for range 100 {
			if waited := read(t, l, "quick", true, time.Millisecond); waited > quickPage {
				t.Fatalf("waited for %s", waited)
			}
		}
		pass(time.Hour)
		empty(t, l)
	})
}

// A server that was slow waits in the lane of slow ones, for some minutes.
func TestWhichLaneAServerHas(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := newLanes()
		var got []string
		look := func(wasQuick bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			names := map[*lane]string{l.quick: "quick", l.first: "first", l.slow: "slow"}
			got = append(got, names[l.laneOf("x", wasQuick)])
		}
		look(false)
		read(t, l, "x", false, quickPage-1)
		look(true)
		read(t, l, "other", true, pageTimeout)
		look(true)
		read(t, l, "x", true, quickPage+1)
		look(true)
		look(false)
		pass(slowFor - 2)
		look(true)
		pass(2)
		look(false)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.noteSlow("y")
		if diff := cmp.Diff([]string{"first", "quick", "quick", "slow", "slow", "slow", "first"}, got); diff != "" {
			t.Errorf("lanes (-want +got):\n%s", diff)
		}
		if len(l.slowUntil) != 1 {
			t.Errorf("%d servers are remembered, want those that were slow of late alone", len(l.slowUntil))
		}
	})
}

// A page that is late keeps its place where there is none for late ones, so that no more pages are under way than may be.
func TestNoMorePagesThanMayBe(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := newLanes()
		reading, most := make(chan int, 1), 0
		reading <- 0
		count := func(by int) {
			n := <-reading + by
			most = max(most, n)
			reading <- n
		}
		for i := range 500 {
			go func() {
				turn, err := l.turn(t.Context(), fmt.Sprint(i), i%2 == 0)
				if err != nil {
					t.Error(err)
					return
				}
				count(1)
				pass(pageTimeout)
				count(-1)
				turn.done()
			}()
		}
		pass(time.Hour)
		<-reading
		if want := quickPages + firstPages + latePages; most != want {
			t.Errorf("%d pages were read at the same time, want %d", most, want)
		}
		empty(t, l)
	})
}

// Many servers have pages without an end that take nearly as long as a quick one may, or as long as any page may. One that is
// quicker is not behind all of them at each page: it has the lane for as long as each of them, if it needs that.
func TestAServerHasItsShareOfALane(t *testing.T) {
	const others, pages = 300, 200
	for name, c := range map[string]struct {
		takes, theirs time.Duration
		places        int
	}{
		"in the lane of quick ones": {time.Millisecond, quickPage - 1, quickPages},
		"in the lane of slow ones":  {quickPage + 50*time.Millisecond, pageTimeout, slowPages},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				l := newLanes()
				ctx, cancel := context.WithCancel(t.Context())
				for i := range others {
					go func() {
						for ctx.Err() == nil {
							read(t, l, fmt.Sprint("endless-", i), true, c.theirs)
						}
					}()
				}
				pass(time.Minute)
				waited := time.Duration(0)
				for range pages {
					waited += read(t, l, "honest", true, c.takes)
				}
				rounds := pages*c.takes/c.theirs + 2 // in each of which every other server has one page
				if most := rounds*others*c.theirs/time.Duration(c.places) + pages*c.theirs; waited > most {
					t.Errorf("%d pages waited for %s, want %s at most", pages, waited, most)
				}
				cancel()
				pass(time.Hour)
				empty(t, l)
			})
		})
	}
}

// Who comes anew does not go before all others until it has had the lane for as long as they.
func TestNobodyMakesUpForTimeInWhichItDidNotAsk(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		const takes = quickPage - 1
		l := newLanes()
		ctx, cancel := context.WithCancel(t.Context())
		longest := make(chan time.Duration, 1)
		longest <- 0
		endless := func(server string) {
			for ctx.Err() == nil {
				waited := read(t, l, server, true, takes)
				longest <- max(<-longest, waited)
			}
		}
		for i := range 2 * quickPages {
			go endless(fmt.Sprint("old-", i))
		}
		pass(10 * time.Minute)
		for i := range 2 * quickPages {
			go endless(fmt.Sprint("new-", i))
		}
		pass(time.Minute)
		cancel()
		pass(time.Hour)
		if waited := <-longest; waited > 10*takes {
			t.Errorf("somebody waited for %s", waited)
		}
		empty(t, l)
	})
}

// Who does not wait any more has no turn.
func TestWaitingForATurnEndsWithItsContext(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := newLanes()
		read(t, l, "x", false, pageTimeout)
		for range slowPages {
			go read(t, l, "x", false, pageTimeout)
		}
		pass(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.turn(ctx, "x", false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a time-out", err)
		}
		pass(time.Hour)
		empty(t, l)
	})
}
