package qworker

import (
	"fmt"
	"slices"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// maxPlans bounds how often a plan is made anew because of those whom it lets go.
const maxPlans = 10

// decide plans. Before anybody is let go, the queue is read afresh: a worker that was idle a second ago may be busy now,
// also one whose kubelet has yet to report that it runs. Until that reading is there, departures are withheld.
//
// With it, decide plans until the number of workers and the plan agree: the messages of workers that the plan lets go need
// no other worker, which may ask for another number, and with that for another plan.
func (r *round) decide() {
	if r.seen.revisions.newest == nil && !r.seen.deleting() {
		return
	}
	r.plan()
	if r.decision.Withheld > 0 {
		r.memory.freshness.ask(r.seen.byQueue(r.seen.places()), r.reconciler.backlog.Request)
		return
	}
	if !asksWhoIsBusy(r.decision.Actions, r.seen.deleting()) || !mayAsk(&r.seen) {
		return
	}
	for range maxPlans {
		planned := r.wanted
		r.scale()
		if r.wanted.equals(planned) {
			return
		}
		r.plan()
	}
}

// asksWhoIsBusy reports whether it matters to the decision who is at a task now. The workers of a QWorker that is being
// deleted get their grants whatever they do.
func asksWhoIsBusy(actions []planner.Action, deleting bool) bool {
	return slices.ContainsFunc(actions, func(a planner.Action) bool {
		return a.Kind.LetsGo() && (a.Kind == planner.DeleteNotRunning || !deleting)
	})
}

// mayAsk reports whether the broker can be expected to answer. Only the deletion of a QWorker does not wait for it: a
// process that has just begun asks it then for the first time.
func mayAsk(o *observation) bool {
	return o.depthKnown() || (o.deleting() && o.reading.Err == nil && o.revisions.serving() != nil)
}

// plan asks the planner, and tells it all that is known.
func (r *round) plan() {
	f := planner.Fleet{
		Now:     r.seen.now,
		Desired: r.wanted.published.Desired,
		Why:     r.wanted.published.Why(),

		NewestDesired: r.wanted.newest.Desired,

		Finishing: r.wanted.published.Finishing,
		// Without its ScalerConfig the fleet stays as it is, though the connection may still be there.
		DepthKnown:      r.seen.depthKnown() && r.seen.config != nil,
		Withhold:        mayAsk(&r.seen) && !r.memory.freshness.has(r.seen.byQueue(r.seen.places())),
		Deleting:        r.seen.deleting(),
		ExcessSince:     r.memory.excessSince,
		FailedCreations: r.memory.creations.failed(),
		Done:            r.seen.ends.done,
		Paced:           r.seen.ends.paced,
		Rollout:         rolloutOf(r.seen.qw.Spec.Rollout),
		Tried:           isTried(r.seen.revisions.newest),
		NewestBarred:    r.seen.newestUnread || r.barred || fleet.PodRefused(r.seen.wouldRefuse),
		Pods:            r.seen.statesWithWork(),
	}
	switch {
	case r.finalizerErr != nil:
		f.Uncreatable = allUncreatable(r.seen.revisions.all, r.finalizerErr)
	case r.seen.config == nil:
		f.Uncreatable = uncreatable(r.seen.revisions.all, r.seen.qw.Spec.ScaleConfig.ScalerConfigRef)
	}
	f.Uncreatable = withRemoved(f.Uncreatable, r.seen.revisions.remains)
	if newest := r.seen.revisions.newest; newest != nil {
		f.Newest = newest.Hash
	}
	if published := r.seen.revisions.published; published != nil {
		removed := r.seen.revisions.stored(published.Hash) == nil // nobody knows any more whether it was proven, and it may have been
		f.Published, f.Proven = published.Hash, published.Proven || removed
	}
	r.decision, r.undecided = planner.Plan(f), len(tellOfEnds(&r.seen)) > 0
}

// uncreatable has the revisions of which no pod can be made while the ScalerConfig does not exist, and why: a worker
// whose password stands there would never get one. The operator's own password does not matter where workers have theirs.
func uncreatable(revisions []revision.Revision, scalerConfig string) map[string]string {
	why := map[string]string{}
	for _, r := range revisions {
		if r.Connection.NeedsScalerConfig() {
			why[r.Hash] = fmt.Sprintf("its password stands in the ScalerConfig %q, which does not exist", scalerConfig)
		}
	}
	return why
}

// withRemoved adds the revisions that somebody has removed: nobody knows the whole pod spec any more.
func withRemoved(why map[string]string, removed []revision.Revision) map[string]string {
	if why == nil && len(removed) > 0 {
		why = map[string]string{}
	}
	for _, r := range removed {
		why[r.Hash] = "its ControllerRevision was removed"
	}
	return why
}

// allUncreatable has all revisions: without the finalizer, nobody would look after the pods once the QWorker is deleted.
func allUncreatable(revisions []revision.Revision, err error) map[string]string {
	why := map[string]string{}
	for _, r := range revisions {
		why[r.Hash] = fmt.Sprintf("the finalizer %s cannot be written: %v", v1alpha1.Finalizer, err)
	}
	return why
}
