package worker

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
	"github.com/quickube/qscaler/worker/redislist"
)

// hands has what the worker has in hand: every task that it has reserved and whose end Redis has not confirmed.
type hands struct {
	mu    sync.Mutex
	tasks map[string]*held // by the head of the element
	// taken counts those that were ever in hand.
	taken uint64
	// over is why no attempt may go on, nil while they may.
	over error
	// freed is signalled when there is less in hand, or less of it that goes.
	freed chan struct{}
}

// held is one task in hand.
type held struct {
	store.Item
	// since is when it was reserved, and number in which place.
	since  time.Time
	number uint64
	// suspect is true for one that has begun and may be what its workers were killed for.
	suspect bool
	// settling is true once the attempt has ended: what comes of it is on its way to Redis.
	settling bool
	// cancel ends the attempt's context, nil while it has not begun.
	cancel context.CancelCauseFunc
	// refused is true for as long as Redis refuses to record what came of the task, and is not to be waited for.
	refused bool
	// gone is true once the worker's list was seen without it.
	gone bool
}

func (t *held) head() string { return redislist.Head(t.Element) }

func newHands() *hands {
	return &hands{tasks: map[string]*held{}, freed: make(chan struct{}, 1)}
}

func (h *hands) take(item store.Item, since time.Time) *held {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken++
	t := &held{Item: item, since: since, number: h.taken}
	h.tasks[t.head()] = t
	return t
}

// begin notes how an attempt is ended, and reports whether the task is still the worker's.
func (h *hands) begin(t *held, cancel context.CancelCauseFunc) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.cancel = cancel
	if h.over != nil {
		cancel(h.over)
	}
	return !t.gone
}

// rename has a task that is about to begin be in hand under another reservation, which is the youngest in the list.
func (h *hands) rename(t *held, item store.Item, suspect bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.tasks, t.head())
	h.taken++
	t.Item, t.number, t.suspect = item, h.taken, suspect
	h.tasks[t.head()] = t
}

func (h *hands) settle(t *held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.settling = true
}

func (h *hands) drop(tasks ...*held) {
	h.mu.Lock()
	for _, t := range tasks {
		delete(h.tasks, t.head())
	}
	h.mu.Unlock()
	h.free()
}

func (h *hands) free() {
	select {
	case h.freed <- struct{}{}:
	default:
	}
}

// item is a task as the broker is asked for it: of one that is named by its head, with where that is.
func (h *hands) item(t *held) store.Item {
	if t.Long() {
		return h.placed(t)
	}
	return t.Item
}

// placed is a task with about how many in the worker's list are older.
func (h *hands) placed(t *held) store.Item {
	item := t.Item
	item.Older = 0
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, other := range h.tasks {
		if other.number < t.number {
			item.Older++
		}
	}
	return item
}

// refuse notes of which tasks Redis refuses to record what came of them, and whether that may last.
func (h *hands) refuse(lasting bool, settlements []settlement) {
	h.mu.Lock()
	for _, s := range settlements {
		s.task.refused = lasting
	}
	h.mu.Unlock()
	h.free()
}

// suspects has the suspects whose attempts are under way.
func (h *hands) suspects() (under []*held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.tasks {
		if t.suspect && !t.settling {
			under = append(under, t)
		}
	}
	return under
}

// going counts the tasks that go.
func (h *hands) going() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.tasks {
		if !t.refused {
			n++
		}
	}
	return n
}

func (h *hands) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.tasks)
}

// still is how many tasks are in hand, where none of them is settling.
func (h *hands) still() (n int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.tasks {
		if t.settling {
			return 0, false
		}
	}
	return len(h.tasks), true
}

// snapshot has the tasks in hand that are worked on or wait for it.
func (h *hands) snapshot() map[string]*held {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.tasks)
}

// endNotHeld ends the attempts at the tasks that the worker's list does not hold any more, though they were in hand
// before it was read. Those that are settling have left it by themselves.
func (h *hands) endNotHeld(before map[string]*held, listed map[string]bool) (ended []*held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for head, t := range before {
		if listed[head] || t.settling || h.tasks[head] != t {
			continue
		}
		t.gone = true
		if t.cancel != nil {
			t.cancel(ErrNotHeld)
		}
		ended = append(ended, t)
	}
	return ended
}

// end ends every attempt, also those that have yet to begin.
func (h *hands) end(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = cause
	for _, t := range h.tasks {
		if t.cancel != nil {
			t.cancel(cause)
		}
	}
}
