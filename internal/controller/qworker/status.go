package qworker

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
)

// writeStatus writes the status once, if it has changed, and records the events that go with it.
func (r *round) writeStatus(ctx context.Context, failure error) error {
	r.fillStatus(failure)
	if r.account().isTooEarly(failure, &r.object.base.Status) {
		r.again = false // the reading wakes
		return nil
	}
	r.done = r.memory.postponed.with(r.done)
	r.reconciler.metrics.observe(r.seen.name(), r.seen.status, r.done)
	if !equality.Semantic.DeepEqual(r.object.base.Status, *r.seen.status) {
		written, err := r.object.writeStatus(ctx, r.seen.status)
		if err != nil || !written {
			return err
		}
	}
	for _, e := range report.Events(r.object.base.Status.Conditions, r.seen.status.Conditions, r.account().outcome(nil), &r.memory.told) {
		tell(ctx, r.reconciler.recorder, r.seen.qw, e, inputsOf(r.wanted.larger()))
	}
	return nil
}

// fillStatus says how the QWorker is.
func (r *round) fillStatus(failure error) {
	if !r.wanted.known {
		unseen := report.Unseen(r.seen.now, r.seen.status, r.seen.qw.Generation, *problemOf(failure))
		r.seen.status = &unseen
		return
	}
	r.again = r.again || r.publishes != ""
	account := r.account()
	seen := account.seen(r.reconciler.backlog.Last)
	seen.Queue.WriteEvery = r.reconciler.queueStatusInterval
	seen.RightSizing = r.sizes.Condition(r.seen.staying(r.done))
	r.recheckAt(r.sizes.RecheckAt)
	seen.Redelivery = report.Redelivery(r.reconciler.backlog.Redelivery(r.seen.places().main()))
	seen.MaxTaskDuration = maxTaskDuration(r.seen.qw.Spec.Drain, r.seen.revisions.serving())
	seen.Operators = r.memory.writers.note(r.reconciler.operator, r.seen.qw, r.seen.now)
	r.recheckAt(r.memory.writers.recheckAt())
	told := report.Status(r.seen.now, &r.object.base.Status, r.seen.status, seen, account.decided(), account.outcome(failure), r.memory.told)
	r.seen.status, r.memory.told = &told.Status, told.Memory
	r.recheckAt(told.RecheckAt)
}

// isTooEarly reports whether there is nothing to say of a QWorker yet: it is new, nothing was done for it, and its queue
// is about to be read for the first time. The first status then says everything at once.
func (a *account) isTooEarly(failure error, stored *v1alpha1.QWorkerStatus) bool {
	return failure == nil && a.stalled == nil && len(a.done) == 0 && len(a.pods) == 0 && a.wouldRefuse == nil && !a.deleting() &&
		stored.ObservedGeneration <= 0 && !a.reading.Known && a.reading.Err == nil
}

// mayWait is for how long the status may wait, with the events that go with it, 0 for not at all. It waits
//   - for one round, where pods were made or let go and more QWorkers wait for their turn than have one at once. In a
//     storm, in which a thousand queues burst together, a thousand pods then come before a thousand statuses; the QWorker
//     comes again behind those that wait. Those that wait have had their turn.
//   - for a reading that was requested: what led to it is told together with what comes of it. That the queue was read at
//     all is told before: a later leader must know it.
//   - for a new decision, where that reading came after this one was made: a worker that it took for failed may have done
//     its task.
func (r *round) mayWait(failure error) (longest time.Duration) {
	last := &r.memory.postponed
	switch {
	case failure != nil || !r.account().isOrdinary():
		return 0
	case r.seen.qw.Status.Queue != nil && (r.decision.Withheld > 0 || len(tellOfEnds(&r.seen)) > 0):
		return last.left(r.seen.now)
	case r.seen.qw.Status.Queue != nil && r.undecided:
		return min(last.left(r.seen.now), retryBase)
	case len(r.done) > 0 && len(last.done) == 0 && r.reconciler.requests.Waiting() > namespaceReconciles:
		return retryBase
	}
	return 0
}

// isOrdinary reports whether at most pods came and left. What a later leader or a person must know does not wait: a
// revision that is published, what was refused, what was returned.
func (a *account) isOrdinary() bool {
	return a.stalled == nil && !a.deleting() && a.publishes == "" && len(a.changedConfig) == 0 &&
		a.dead.Returned == 0 && a.dead.Failure == nil && len(a.sizes.Notes) == 0
}
