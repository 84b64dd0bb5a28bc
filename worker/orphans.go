package worker

import (
	"context"
	"time"

	"github.com/quickube/qscaler/worker/internal/store"
)

// sweepEvery is how often the worker's own list is compared with what is in hand.
const sweepEvery = 5 * time.Second

// sweep compares the worker's own list with what is in hand. A task of the list that nobody has in hand is an orphan.
// A task in hand that is no longer in the list is not held any more.
func (r *run) sweep() error {
	if r.coming != nil {
		// A task that was asked for and not answered yet would look like an orphan.
		if err := r.receive(); err != nil {
			return err
		}
	}
	if !r.nextSweep.IsZero() { // all answers arrived: the broker need not read all payloads of the list
		if same, err := r.unchanged(); err != nil || same {
			r.nextSweep = time.Now().Add(sweepEvery)
			return err
		}
	}
	before := r.hands.snapshot()
	listed := make(map[string]bool, len(before))
	var orphans []store.Listed
	for page := (store.Page{}); ; {
		var err error
		if page, err = r.held(page); err != nil {
			return err
		}
		for _, l := range page.Listed {
			if before[l.Head] == nil && !listed[l.Head] {
				orphans = append(orphans, l)
			}
			listed[l.Head] = true
		}
		if page.Next >= page.Length {
			break
		}
	}
	r.orphans = orphans
	for _, t := range r.hands.endNotHeld(before, listed) {
		r.options.log.Warn("a task is not held any more", "queue", r.queue, "id", t.ID)
	}
	r.nextSweep = time.Now().Add(sweepEvery)
	return nil
}

// unchanged reports whether the list is as long as it should be, in a moment in which nothing is settled. Then it has
// what is in hand: a list only vanishes as a whole, and tasks of others come to it only with an error.
func (r *run) unchanged() (bool, error) {
	before, still := r.hands.still()
	if !still {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	n, err := r.store.Length(ctx)
	after, still := r.hands.still()
	return still && n == before && n == after, err
}

func (r *run) held(before store.Page) (store.Page, error) {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	return r.store.Held(ctx, before)
}

// adopt takes an orphan in hand.
func (r *run) adopt() error {
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	item, ok, err := r.store.Adopt(ctx, r.orphans[0])
	if err != nil {
		return err
	}
	r.orphans = r.orphans[1:]
	if ok {
		r.takeUp(time.Now(), item)
	}
	return nil
}

// release hands back the youngest orphans, all but so many: another worker may be idle.
func (r *run) release(keep int) error {
	const most = 100 // at once: the broker has to look for each
	ctx, cancel := context.WithTimeout(r.tasks, operationTimeout)
	defer cancel()
	n, err := r.store.Release(ctx, r.orphans[max(keep, len(r.orphans)-most):]...)
	if err != nil {
		return err
	}
	r.orphans, r.dry = r.orphans[:len(r.orphans)-n], false
	return nil
}
