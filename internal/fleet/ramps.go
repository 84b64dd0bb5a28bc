package fleet

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/planner"
)

// createFor is after which time no further batch of creations begins.
const createFor = 5 * time.Second

// ramps remember how many pods of a fleet are created at once, where creating them takes so long that it goes on in the
// next round.
type ramps struct {
	clock clock.PassiveClock

	mu    sync.Mutex
	batch map[types.UID]int
}

func newRamps(clk clock.PassiveClock) *ramps {
	return &ramps{clock: clk, batch: map[types.UID]int{}}
}

// slowStart runs act in batches of 1, 2, 4 and so on, and stops after a batch with an error: what refuses one pod, a quota
// say, mostly refuses the next, and a thousand refusals help nobody. It also stops when its time is up, and goes on with
// the next batch when it is called again.
func (r *ramps) slowStart(owner types.UID, actions []planner.Action, act func(planner.Action) error) (done []planner.Action, err error) {
	began := r.clock.Now()
	for batch := r.take(owner); len(actions) > 0 && err == nil; batch *= 2 {
		if r.clock.Since(began) >= createFor {
			r.keep(owner, batch)
			break
		}
		n := min(batch, len(actions))
		var succeeded []planner.Action
		succeeded, err = inParallel(actions[:n], act)
		done = append(done, succeeded...)
		actions = actions[n:]
	}
	return done, err
}

// take returns how many are created at once, and forgets it.
func (r *ramps) take(owner types.UID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := max(r.batch[owner], 1)
	delete(r.batch, owner)
	return batch
}

func (r *ramps) keep(owner types.UID, batch int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batch[owner] = batch
}
