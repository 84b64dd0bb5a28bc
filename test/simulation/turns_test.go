package simulation

import (
	"sync"
	"time"
)

// turns carries out writes of one moment one after another, in the order of their words. The operator writes in
// parallel: without turns the first would be another in each run.
type turns struct {
	mu      sync.Mutex
	came    time.Time
	waiting []string // what came then
	serving sync.Mutex
}

// turn is how long a write takes. It is no part of any other length of time in the simulation, so that a write is
// answered at a moment at which nothing else happens.
const turn = 7 * time.Nanosecond

// take carries a write out when it is its turn.
func (t *turns) take(request string, write func() error) error {
	t.mu.Lock()
	if now := time.Now(); !now.Equal(t.came) {
		t.came, t.waiting = now, nil
	}
	t.waiting = append(t.waiting, request)
	t.mu.Unlock()
	<-time.After(turn) // whatever comes at this moment has come
	t.mu.Lock()
	before := 0
	for _, other := range t.waiting {
		if other < request {
			before++
		}
	}
	t.mu.Unlock()
	<-time.After(time.Duration(before) * turn)
	t.serving.Lock()
	defer t.serving.Unlock()
	return write()
}
