package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// How many pages of searches may be under way, of all servers, bounds what they take in memory. A server that is slow to
// answer has a lane of its own, so that others do not wait for it.
const (
	// quickPages are for servers whose last page of the same search was quick, firstPages for those of which nothing is
	// known, and slowPages for those that were slow in the last slowFor.
	quickPages = 24
	firstPages = 24
	slowPages  = 16
	slowFor    = 5 * time.Minute
	// quickPage is how long a quick page takes at most. A page that takes longer leaves its lane, and has one of latePages
	// until it ends.
	quickPage = 100 * time.Millisecond
	latePages = 32
)

// lanes has who may read a page now.
type lanes struct {
	mu                 sync.Mutex
	quick, first, slow *lane
	// late counts the pages that are late and have left their lane. Overdue are those that are late and have not, as there is
	// no place for more.
	late    int
	overdue []*turn
	// slowUntil has the servers that were slow, by address.
	slowUntil map[string]time.Time
}

func newLanes() *lanes {
	return &lanes{
		quick: newLane(quickPages, quickPage), first: newLane(firstPages, quickPage), slow: newLane(slowPages, pageTimeout),
		slowUntil: map[string]time.Time{},
	}
}

// turn waits until a page of a server may be read; wasQuick is true where one of the same search was read before. Who has
// read the page ends the turn.
func (l *lanes) turn(ctx context.Context, server string, wasQuick bool) (*turn, error) {
	t := &turn{lanes: l, server: server, begun: make(chan struct{})}
	l.mu.Lock()
	at := l.laneOf(server, wasQuick)
	at.waiting = append(at.waiting, t)
	at.fill()
	l.mu.Unlock()
	select {
	case <-t.begun:
		return t, nil
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		at.leave(t)
		t.end()
		return nil, fmt.Errorf("waiting until other searches have had their turn, %w", ctx.Err())
	}
}

// laneOf is the lane of a server's next page.
func (l *lanes) laneOf(server string, wasQuick bool) *lane {
	switch {
	case time.Now().Before(l.slowUntil[server]):
		return l.slow
	case wasQuick:
		return l.quick
	}
	return l.first
}

func (l *lanes) noteSlow(server string) {
	now := time.Now()
	maps.DeleteFunc(l.slowUntil, func(_ string, until time.Time) bool { return !now.Before(until) })
	l.slowUntil[server] = now.Add(slowFor)
}

// turn is a page that is being read, or is to be. All but server is under the lock of the lanes.
type turn struct {
	lanes  *lanes
	server string
	// begun is closed once it has a place. Lane is the one in which that is, nil before, after the end, and of a page that
	// is late and has left it.
	begun  chan struct{}
	lane   *lane
	since  time.Time
	timer  *time.Timer
	isLate bool
}

// begin is called when it has a place.
func (t *turn) begin(at *lane) {
	t.lane, t.since = at, time.Now()
	t.timer = time.AfterFunc(quickPage, t.noteLate)
	close(t.begun)
}

// noteLate is called when the page takes long. Others have its place as soon as there is one for late pages. A page of the
// slow lane keeps its place.
func (t *turn) noteLate() {
	l := t.lanes
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.lane == nil { // it has ended meanwhile
		return
	}
	l.noteSlow(t.server)
	switch {
	case t.lane == l.slow:
	case l.late < latePages:
		t.giveWay()
	default:
		l.overdue = append(l.overdue, t)
	}
}

// giveWay moves a late page out of its lane.
func (t *turn) giveWay() {
	t.lanes.late++
	t.isLate = true
	t.release()
}

// release frees its place in the lane.
func (t *turn) release() {
	at := t.lane
	t.lane = nil
	at.release(t.server, time.Since(t.since))
}

// done ends the turn.
func (t *turn) done() {
	t.lanes.mu.Lock()
	defer t.lanes.mu.Unlock()
	t.end()
}

func (t *turn) end() {
	l := t.lanes
	if t.timer != nil {
		t.timer.Stop()
	}
	l.overdue = slices.DeleteFunc(l.overdue, func(other *turn) bool { return other == t })
	switch {
	case t.lane != nil:
		t.release()
	case t.isLate:
		t.isLate = false
		l.late--
		if len(l.overdue) > 0 {
			next := l.overdue[0]
			l.overdue = l.overdue[1:]
			next.giveWay()
		}
	}
}
