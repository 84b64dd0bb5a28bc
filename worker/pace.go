package worker

import (
	"sync/atomic"
	"time"
)

const (
	// worthwhile is how much work is reserved ahead: longer tasks are taken one by one, because a task that waits
	// behind them could be done by another worker.
	worthwhile = 2 * time.Millisecond
	// mostAhead bounds how many tasks are reserved ahead.
	mostAhead = 1024
	// handBackAfter is how long a task that was reserved ahead waits for a free hand before it is handed back.
	handBackAfter = 20 * time.Millisecond
)

// pace is how long tasks took lately: an exponentially weighted mean in which the last task has a weight of an
// eighth.
type pace struct{ mean atomic.Int64 }

// newPace begins as if tasks were long: nothing is reserved ahead until some tasks were short.
func newPace() *pace {
	p := &pace{}
	p.mean.Store(int64(time.Second))
	return p
}

func (p *pace) note(took time.Duration) {
	const weight = 8
	for {
		before := p.mean.Load()
		after := before + (int64(took)-before)/weight
		if took < worthwhile && before >= int64(time.Second) {
			after = int64(took) // the first
		}
		if p.mean.CompareAndSwap(before, after) {
			return
		}
	}
}

// ahead is how many tasks to reserve beyond the free hands.
func (p *pace) ahead(concurrency int) int {
	mean := max(p.mean.Load(), 1)
	return int(min(int64(worthwhile)*int64(concurrency)/mean, mostAhead))
}
