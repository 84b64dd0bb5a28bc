package node

import (
	"time"

	"github.com/quickube/qscaler/internal/backoff"
)

// crashes is the back-off of a container that keeps ending. It is the kubelet's: the first restart is at
// once, then the wait doubles from the base to the limit, and is forgotten when a run has lasted for twice
// the limit.
type crashes struct {
	wait time.Duration
	last time.Time // of the latest start that counted
}

// until is when the container may be started again, and the wait that led to it.
func (c *crashes) until(finished time.Time, limit time.Duration) (time.Time, time.Duration) {
	if c.wait == 0 || finished.Sub(c.last) > 2*limit {
		return finished, 0
	}
	return finished.Add(c.wait), c.wait
}

// restarted notes a restart.
func (c *crashes) restarted(finished, now time.Time, base, limit time.Duration) {
	if finished.Sub(c.last) > 2*limit {
		c.wait = 0
	}
	c.wait = backoff.Policy{First: base, Longest: limit}.Next(c.wait)
	c.last = now
}
