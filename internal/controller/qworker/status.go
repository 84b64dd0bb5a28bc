package qworker

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/internal/controller/qworker/report"
)

// writeStatus writes the status once, if it has changed, and records the events that go with it.
func (r *round) writeStatus(ctx context.Context, failure error) error {
	r.fillStatus(failure)
	if r.isTooEarly(failure) {
		r.again = false // the reading wakes
		return nil
	}
	r.done = slices.Concat(r.memory.untold, r.done)
	r.memory.untold = nil
	r.metrics.observe(r.name(), r.status, r.done)
	if !equality.Semantic.DeepEqual(r.object.base.Status, *r.status) {
		written, err := r.object.writeStatus(ctx, r.status)
		if err != nil || !written {
			return err
		}
	}
	for _, e := range report.Events(r.object.base.Status.Conditions, r.status.Conditions, r.outcome(nil)) {
		ctrl.LoggerFrom(ctx).Info(e.Reason, "condition", e.Condition, "note", e.Note, "pods", e.Pods)
		record(r.recorder, r.qw, e)
	}
	return nil
}

// fillStatus says how the QWorker is.
func (r *round) fillStatus(failure error) {
	if !r.sized {
		unseen := report.Unseen(r.now, r.status, r.qw.Generation, *problemOf(failure))
		r.status = &unseen
		return
	}
	r.again = r.again || r.publishes != ""
	told := report.Status(r.now, &r.object.base.Status, r.status, r.observed(), r.decided(), r.outcome(failure), r.memory.told)
	r.status, r.memory.told = &told.Status, told.Memory
	r.recheckAt(told.RecheckAt)
}

// isTooEarly reports whether there is nothing to say of a QWorker yet: it is new, nothing was done for it, and its queue
// is about to be read for the first time. The first status then says everything at once.
func (r *round) isTooEarly(failure error) bool {
	return failure == nil && r.stalled == nil && len(r.done) == 0 && len(r.pods) == 0 && !r.deleting() &&
		r.object.base.Status.ObservedGeneration == 0 && !r.reading.Known && r.reading.Err == nil
}

// mayWait reports whether the status may wait for one round, with the events that go with it: pods were made or let go,
// and more QWorkers wait for their turn than have one at once. In a storm, in which a thousand queues burst together, a
// thousand pods then come before a thousand statuses; the QWorker comes again behind those that wait. What a later leader
// or a person must know does not wait: a revision that is published, what was refused, what was returned.
func (r *round) mayWait(failure error) bool {
	switch {
	case failure != nil, r.stalled != nil, r.deleting(), r.publishes != "":
		return false
	case r.dead.Returned > 0, r.dead.Refusal != nil, len(r.sizes.Notes) > 0:
		return false
	case len(r.done) == 0, len(r.memory.untold) > 0: // those that wait have had their turn
		return false
	}
	return r.requests.Waiting() > namespaceReconciles
}
