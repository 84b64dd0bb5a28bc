package redis

import (
	"maps"
	"slices"
	"time"
)

// lane has places for pages. Of the servers that wait for a place, the one goes first whose pages have had the lane for the
// shortest time. So a server has its share, and those that take long for a page, or have pages without an end, have no more.
type lane struct {
	most, taken int
	// waiting are in the order in which they came.
	waiting []*turn
	// used is for how long the pages of a server had the lane, by address, and level is the most of those that have had a
	// place. Nobody stands further back than credit behind the level: who does not ask saves up no more than one page.
	used          map[string]time.Duration
	level, credit time.Duration
}

func newLane(most int, credit time.Duration) *lane {
	return &lane{most: most, credit: credit, used: map[string]time.Duration{}}
}

// usedBy is where a server stands.
func (l *lane) usedBy(server string) time.Duration { return max(l.used[server], l.level-l.credit) }

// fill gives the free places away.
func (l *lane) fill() {
	for l.taken < l.most && len(l.waiting) > 0 {
		next := l.waiting[0]
		for _, other := range l.waiting[1:] {
			if l.usedBy(other.server) < l.usedBy(next.server) {
				next = other
			}
		}
		l.leave(next)
		l.level = max(l.level, l.usedBy(next.server))
		l.taken++
		next.begin(l)
	}
}

// leave has somebody wait no more.
func (l *lane) leave(t *turn) {
	l.waiting = slices.DeleteFunc(l.waiting, func(other *turn) bool { return other == t })
}

// release frees the place of a server that had it for some time.
func (l *lane) release(server string, took time.Duration) {
	l.taken--
	l.used[server] = l.usedBy(server) + took
	maps.DeleteFunc(l.used, func(_ string, used time.Duration) bool { return used <= l.level-l.credit })
	if l.fill(); l.taken == 0 {
		clear(l.used)
		l.level = 0
	}
}
