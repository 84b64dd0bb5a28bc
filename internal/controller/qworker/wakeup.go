package qworker

import (
	"maps"
	"slices"
	"time"

	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/scaling"
)

// wakeup tells which readings a QWorker is woken for. These are readings
//
//   - that change how many workers there shall be,
//   - in which a worker that is gone holds a task, or the first worker of a revision does,
//   - that show another worker busy while there is an excess,
//   - now and then, whose figures alone have changed, for the status.
//
// The backlog asks it of every reading, long after the round is over, so it has copies of what it needs.
type wakeup struct {
	// lookout is for workers of revisions that were not seen at a task yet.
	lookout lookout
	// awaited are the workers that are gone and in whose lists something may turn up yet.
	awaited []string
	// leaving are those whose messages need no other worker.
	leaving map[string]bool
	// last is the reading that the decision was based on, decided what the number of workers was decided by.
	last    backlog.Reading
	decided scaling.Input
	// excess is true while there are more workers than desired.
	excess bool
	// shown are the figures of the status, written is when they were.
	shown    *v1alpha1.QueueStatus
	written  time.Time
	clock    clock.PassiveClock
	interval time.Duration
}

// findsHeld reports whether a worker that is gone holds a task, or the first of a revision.
func (w wakeup) findsHeld(prev, next backlog.Reading) bool {
	w.lookout.noteSigns(prev, next)
	return w.lookout.finds(next) || slices.ContainsFunc(w.awaited, func(worker string) bool { return next.Depth.Held[worker] > 0 })
}

// asksForOthers reports whether the queue of the newest revision, where that is another one, asks for another number of
// workers.
func (w wakeup) asksForOthers(prev, next backlog.Reading) bool {
	finds := w.findsHeld(prev, next)
	return next.Err == nil && (finds || w.decided.Changes(queueOf(next, w.leaving)))
}

// matters reports whether the QWorker is to look at a reading of the queue that its depth is read of.
func (w wakeup) matters(prev, next backlog.Reading) bool {
	if next.Err != nil {
		return false
	}
	finds := w.findsHeld(prev, next) // of each reading, whatever else it says
	if finds || w.decided.Changes(queueOf(next, w.leaving)) {
		return true
	}
	if w.excess && !maps.Equal(w.last.Depth.Held, next.Depth.Held) {
		return true
	}
	stale := !report.Shows(w.shown, next.Depth.Waiting.N, inFlight(next.Depth))
	return stale && w.clock.Since(w.written) >= w.interval
}
