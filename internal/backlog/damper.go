package backlog

import "time"

// damper bounds how often it is told that a broker fails, that it answers again, or that it fails otherwise. Each is a write
// to the API server for everybody who watches, and a broker that answers once and fails, again and again, would have as
// many as there are watchers every few seconds. That it fails is always told at once; that it answers, or fails otherwise,
// waits where much was told of late.
type damper struct {
	// level counts what was told of late, and drained is when it last became less.
	level   int
	drained time.Time
}

const (
	// mostTold is how much is told without a pause, and forgetEvery is how long it takes until there is room for one more.
	mostTold    = 6
	forgetEvery = 30 * time.Second
)

// tells is what is to be told, of what was told and what is so now.
func (t *damper) tells(told, is error, now time.Time) error {
	if !isOther(told, is) {
		return is
	}
	if n := now.Sub(t.drained) / forgetEvery; n > 0 {
		t.level, t.drained = max(t.level-int(min(n, mostTold+1)), 0), now
	}
	if told != nil && t.level >= mostTold {
		return told
	}
	t.level = min(t.level, mostTold) + 1
	return is
}
