package qworker

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/recovery"
)

const (
	// goneBrokerTimeout is for how long a deleted QWorker whose ScalerConfig is gone too waits for what fails at the broker:
	// both may have been uninstalled together, and nobody is left who mends anything.
	goneBrokerTimeout = time.Minute
	// brokerTimeout is for how long a deleted QWorker whose workers have all ended waits for the broker, whatever is in the
	// way, and whether it says so or not. Each deletion ends.
	brokerTimeout = time.Hour
)

// failures are since when what a deleted QWorker waits for fails or lasts, each zero while it does not. The status has since
// when the workers have ended: an operator that is started again and again must end a deletion, too. The minutes of the
// others begin anew with each.
type failures struct {
	// search is that of the search of the present queue.
	search time.Time
	// returns are those of the return of each worker's tasks that fails.
	returns map[string]time.Time
	// ended is since when all workers of the deleted QWorker are seen to have ended.
	ended time.Time
}

// giveUp has a deleted QWorker wait no longer for what fails: at once or later for a broker whose ScalerConfig is gone
// too, and in the end for any. What is not known to have returned then stays in the broker.
//
// Before the end, only the workers whose return fails are given up: the tasks of the others still return. unread tells of a
// revision why the queue of its workers cannot be read. It returns when time alone changes the answer, zero for never.
//
// A worker of which the API server does not say whether its pod is gone is waited for: that is no matter of the broker, and
// the pod may be there.
func (d *deadWorkers) giveUp(f *failures, now time.Time, configGone bool, unread func(hash string) error) (recheckAt time.Time) {
	since(&f.search, now, d.presentSearchErr() != nil)
	f.returns = d.returnsFailSince(f.returns, now, unread)
	since(&f.ended, now, d.deleting && d.ended)
	if !d.deleting {
		return time.Time{}
	}
	waits := func(from time.Time, timeout time.Duration) bool {
		if from.IsZero() {
			return true
		}
		end := from.Add(timeout)
		if now.Before(end) {
			recheckAt = earliest(recheckAt, end)
			return true
		}
		return false
	}
	d.waitOver = !waits(f.ended, brokerTimeout)
	d.returnsGivenUp, d.givenUp = d.waitOver, nil
	if configGone {
		d.searchGivenUp = d.waitOver || !waits(f.search, goneBrokerTimeout)
		for worker, from := range f.returns {
			if !d.waitOver && !waits(from, goneBrokerTimeout) {
				d.givenUp = append(d.givenUp, worker)
			}
		}
	}
	if slices.ContainsFunc(d.Dead, func(w recovery.Dead) bool { return w.Unconfirmed && !w.IsReturned() }) {
		d.returnsGivenUp = false
	}
	if !f.ended.IsZero() {
		d.waitsUntil = f.ended.Add(brokerTimeout)
	}
	return recheckAt
}

// returnsFailSince is since when the tasks of each worker cannot be returned to its queue, or that is never tried because
// the queue cannot be read. A worker whose return does not fail has no time.
func (d *deadWorkers) returnsFailSince(before map[string]time.Time, now time.Time, unread func(hash string) error) map[string]time.Time {
	failing := map[string]time.Time{}
	for _, w := range d.Dead {
		if w.IsReturned() || w.Unconfirmed || (!w.IsFailing() && !w.Unplaced && unread(w.Revision) == nil) {
			continue
		}
		from := before[w.Worker]
		since(&from, now, true)
		failing[w.Worker] = from
	}
	return failing
}

// resume takes in since when the workers have ended, as an earlier process has seen it. A time that has yet to come is that
// of a clock that was wrong.
func (f *failures) resume(stored *metav1.Time, now time.Time) {
	if f.ended.IsZero() && stored != nil && !stored.After(now) {
		f.ended = stored.Time
	}
}

// timeOf is a time as the status has it, to the second, nil for none.
func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return ptr.To(metav1.NewTime(t.Truncate(time.Second)))
}

// since keeps since when something is so.
func since(from *time.Time, now time.Time, isSo bool) {
	switch {
	case !isSo:
		*from = time.Time{}
	case from.IsZero():
		*from = now
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// givenUpSearch is the first search that was not over when the QWorker went, nil where there is none or its tasks are not
// ours.
func (d *deadWorkers) givenUpSearch() *recovery.Search {
	if d.neverRead || len(d.Searches) == 0 {
		return nil
	}
	if present := &d.Searches[0]; d.waitOver || (!present.Former && present.Failed && d.searchGivenUp) {
		return present
	}
	return nil
}
