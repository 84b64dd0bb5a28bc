package qworker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/recovery"
)

// finish looks at what came of the decision, tidies the history, and lets a deleted QWorker go once the last of its
// workers has left and their tasks are returned.
func (r *round) finish(ctx context.Context) error {
	if err := r.observePods(ctx); err != nil {
		return unread{err}
	}
	r.reconciler.deadTasks.Note(fleetOf(r.seen.name(), r.seen.qw.UID), workersOf(r.seen.pods, r.seen.states))
	r.recheckAt(r.reconciler.fleets.NextDoubt(r.seen.qw.UID))
	empty := r.seen.deleting() && len(r.seen.pods) == 0
	if empty && r.seen.dead.began > 0 { // pods that have vanished since are looked after in the next round
		r.again = true
	}
	over := empty && r.seen.dead.began == 0 && r.seen.dead.owesNothing(r.seen.pods)
	keep := historyLimit(r.seen.qw.Spec.Rollout)
	if over {
		keep = 0
	}
	pruned := r.memory.writes.Attempt(r.reconciler.clock, historyWrite, func() error {
		return r.reconciler.history.Prune(ctx, r.seen.qw, r.seen.revisions.all, r.seen.inUse, keep)
	})
	if !over {
		return pruned
	}
	if err := r.object.letGo(ctx); err != nil { // with the QWorker, the garbage collector deletes what is left of its history
		return errors.Join(pruned, err)
	}
	r.gone = true
	r.tellAbandoned(ctx)
	return nil
}

// tellAbandoned tells, once a QWorker is let go, what stays in the broker.
func (r *round) tellAbandoned(ctx context.Context) {
	told := func(e report.Event) { tell(ctx, r.reconciler.recorder, r.seen.qw, e, nil) }
	if workers := r.seen.dead.abandoned(); len(workers) > 0 {
		told(report.Abandoned(r.seen.servedQueue(), r.whyAbandoned(), workers))
	}
	if search := r.seen.dead.givenUpSearch(); search != nil {
		told(report.SearchAbandoned(search.Place.Queue, words.TextOf(cmp.Or(search.Err, errWaitOver))))
	}
}

// errWaitOver is why something is given up of which nobody has said what is in its way.
var errWaitOver = fmt.Errorf("it was not done within %s", brokerTimeout)

// whyAbandoned is why nobody could return the tasks of workers once the QWorker is let go. What they held stays in their
// lists, and nobody will look there any more.
func (r *round) whyAbandoned() string {
	why := r.reconciler.backlog.Last(r.seen.places().main()).Err
	switch {
	case r.seen.dead.mode != recovery.Abandoned:
		why = cmp.Or(holdup(&r.seen, r.reconciler.backlog.Last), errWaitOver)
	case why == nil:
		return "there is no ScalerConfig, and no revision is left that names the broker"
	}
	return why.Error()
}

// inUse reports whether a revision may not be pruned.
func (o *observation) inUse(hash string) bool {
	if o.deleting() && len(o.states) == 0 && o.dead.owesNothing(o.pods) {
		return false
	}
	newest := o.revisions.newest
	return o.dead.needs(hash) || hash == o.status.CurrentPodSpecHash || (newest != nil && hash == newest.Hash) ||
		slices.ContainsFunc(o.states, func(p planner.Pod) bool { return p.Revision == hash })
}

// servedQueue is the queue at which new workers work.
func (o *observation) servedQueue() string {
	if main := o.revisions.serving(); main != nil {
		return main.Queue
	}
	return o.qw.Spec.ScaleConfig.Queue
}
