package qworker

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// Finalizer keeps a QWorker that is being deleted until its workers have finished their tasks.
const Finalizer = "quickube.com/workers"

// hold adds the finalizer before the first pod is made.
func (s *scope) hold(ctx context.Context) error {
	if s.deleting() || controllerutil.ContainsFinalizer(s.qw, Finalizer) {
		return nil
	}
	return s.attempt(finalizerWrite, func() error {
		return s.setFinalizers(ctx, append(slices.Clone(s.qw.Finalizers), Finalizer))
	})
}

// letGoAtOnce reports whether the deletion leaves the pods alone: the user asked for it to orphan them, or
// the finalizer is not ours to remove any more.
func (s *scope) letGoAtOnce() bool {
	return controllerutil.ContainsFinalizer(s.qw, metav1.FinalizerOrphanDependents) ||
		!controllerutil.ContainsFinalizer(s.qw, Finalizer)
}

// finish looks at what came of the decision, tidies the history, and lets a deleted QWorker go once the last
// of its workers has left and its tasks are back.
func (s *scope) finish(ctx context.Context) error {
	pods, err := s.fleets.Observe(ctx, s.qw)
	if err != nil {
		return unread{err}
	}
	s.pods, s.states = pods, s.statesOf(pods)
	if err := s.readNodes(ctx); err != nil {
		return unread{err}
	}
	began := len(s.memory.seen) // pods that have vanished since are lost, and looked after in the next round
	for _, p := range s.states {
		s.memory.seen[p.Name] = p.Revision
	}
	s.wakeAt(s.fleets.NextDoubt(s.qw.UID))
	emptied := s.deleting() && len(pods) == 0 && began == 0 && s.owesNothing()
	if s.deleting() && len(pods) == 0 && began > 0 {
		s.again = true
	}
	keep := historyLimit(s.qw.Spec.Rollout)
	if emptied {
		keep = 0
	}
	if err := s.history.Prune(ctx, s.qw, s.revisions, s.inUse, keep); err != nil {
		return err
	}
	if !emptied {
		return nil
	}
	if err := s.release(ctx); err != nil {
		return err
	}
	s.reportAbandoned()
	return nil
}

// neverRead reports whether the queue was never once read, by this process or an earlier one. Nobody has worked
// on such a queue.
func (s *scope) neverRead() bool { return !s.reading.Known && s.status.Queue == nil }

// outstanding counts the pods whose tasks have yet to be given back before the QWorker may go.
func (s *scope) outstanding() int {
	if s.neverRead() || !s.reclaims() {
		return 0
	}
	n := s.memory.outstanding()
	for _, pod := range s.pods {
		if !s.isSettled(pod) {
			n++
		}
	}
	return n
}

// owesNothing reports whether the queue has back, as far as can be known, what dead workers had of it.
func (s *scope) owesNothing() bool { return s.outstanding() == 0 && s.awaited() == nil }

// inUse reports whether a revision may not be pruned.
func (s *scope) inUse(hash string) bool {
	if s.deleting() && len(s.states) == 0 && s.owesNothing() {
		return false
	}
	for _, lost := range s.memory.lost {
		if lost.revision == hash {
			return true
		}
	}
	if slices.ContainsFunc(s.unsearched(), func(r *revision.Revision) bool { return r.Hash == hash }) {
		return true // what turns up there needs it
	}
	ofPod := slices.ContainsFunc(s.states, func(p planner.Pod) bool { return p.Revision == hash })
	current := hash == s.status.CurrentPodSpecHash || (s.newest != nil && hash == s.newest.Hash)
	return ofPod || current
}

// release removes the finalizer.
func (s *scope) release(ctx context.Context) error {
	if controllerutil.ContainsFinalizer(s.qw, Finalizer) {
		rest := slices.DeleteFunc(slices.Clone(s.qw.Finalizers), func(f string) bool { return f == Finalizer })
		if err := s.setFinalizers(ctx, rest); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	s.gone = true
	return nil
}

// setFinalizers writes the finalizers, unless someone else has changed the object meanwhile: the list is
// written as a whole.
func (s *scope) setFinalizers(ctx context.Context, finalizers []string) error {
	updated := s.qw.DeepCopy()
	updated.Finalizers = finalizers
	patch := client.MergeFromWithOptions(s.qw, client.MergeFromWithOptimisticLock{})
	if err := s.client.Patch(ctx, updated, patch); err != nil {
		return fmt.Errorf("setting the finalizers, %w", err)
	}
	s.qw.Finalizers, s.qw.ResourceVersion = updated.Finalizers, updated.ResourceVersion
	return nil
}
