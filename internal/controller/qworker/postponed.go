package qworker

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/planner"
)

// readingTimeout is for how long a status waits for a reading that was requested. A broker that takes longer has the
// status written before.
const readingTimeout = 2 * time.Second

// postponed is what is known of rounds whose status was postponed.
type postponed struct {
	// done is what they did and was not reported yet.
	done []planner.Action
	// since is when the first of them began, zero where the last status was not postponed.
	since time.Time
}

// note postpones the status of another round.
func (p *postponed) note(now time.Time, done []planner.Action) {
	p.done = append(p.done, done...)
	if p.since.IsZero() {
		p.since = now
	}
}

// left is for how long the status may still wait for a reading.
func (p *postponed) left(now time.Time) time.Duration {
	if p.since.IsZero() {
		return readingTimeout
	}
	return max(readingTimeout-now.Sub(p.since), 0)
}

// with is what was done before and in the present round, whose status is not postponed.
func (p *postponed) with(done []planner.Action) []planner.Action {
	all := slices.Concat(p.done, done)
	*p = postponed{}
	return all
}
