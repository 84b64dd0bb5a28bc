package qworker

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/logs"
)

// Reconcile brings one QWorker nearer to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	switch caughtUp, err := r.caughtUp(ctx, request.Namespace); {
	case apierrors.IsForbidden(err):
		return r.waitForRights(ctx, request.NamespacedName, err)
	case err != nil || !caughtUp:
		return ctrl.Result{RequeueAfter: retryBase}, err
	}
	var qw v1alpha1.QWorker
	err := r.client.Get(ctx, request.NamespacedName, &qw)
	if apierrors.IsNotFound(err) {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the QWorker, %w", err)
	}
	return r.reconcile(ctx, &qw)
}

func (r *Reconciler) reconcile(ctx context.Context, qw *v1alpha1.QWorker) (ctrl.Result, error) {
	present, former := r.memories.of(client.ObjectKeyFromObject(qw), qw.UID)
	if former != nil {
		r.dropMemory(client.ObjectKeyFromObject(qw), former)
	}
	round := newRound(r, qw, present)
	err := round.reconcile(ctx)
	if round.gone {
		r.forget(client.ObjectKeyFromObject(qw))
		return ctrl.Result{}, nil
	}
	if longest := round.mayWait(err); longest > 0 {
		present.postponed.note(round.seen.now, round.done)
		return ctrl.Result{RequeueAfter: round.within(r.clock.Now(), longest)}, nil
	}
	if !apierrors.IsConflict(err) {
		err = toldOf(err, round.writeStatus(ctx, err), round.seen.deleting())
	}
	if err = round.letGoWithoutRights(ctx, err); round.gone {
		r.forget(client.ObjectKeyFromObject(qw))
		return ctrl.Result{}, nil
	}
	if apierrors.IsConflict(err) {
		// Somebody else has written, or the cache is behind what was written: again with the newer object.
		return ctrl.Result{RequeueAfter: retryBase}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: round.after(r.clock.Now())}, nil
}

// toldOf is what a round failed for. Where the status was written it has told of that, but for a QWorker that is being
// deleted: its condition is about that.
func toldOf(failure, unwritten error, deleting bool) error {
	if unwritten != nil || deleting {
		return errors.Join(failure, unwritten)
	}
	return logs.Told(failure)
}

// forget releases what is held for a QWorker that no longer exists.
func (r *Reconciler) forget(name types.NamespacedName) {
	if m := r.memories.forget(name); m != nil {
		r.dropMemory(name, m)
	}
	r.sizer.Forget(name)
	r.metrics.forget(name)
}

func (r *Reconciler) dropMemory(name types.NamespacedName, m *memory) {
	r.configs.Forget(name)
	r.deadTasks.Forget(fleetOf(name, m.uid))
	for key := range m.watches {
		r.backlog.Forget(key)
	}
	r.fleets.Forget(m.uid)
	r.history.Forget(m.uid)
	r.qworkers.Forget(m.uid)
}

// reconcile walks the steps from what is to what shall be.
func (r *round) reconcile(ctx context.Context) error {
	if r.seen.deleting() && isLetGoAtOnce(r.seen.qw) {
		r.gone = true
		return r.object.letGo(ctx)
	}
	if err := r.observe(ctx); err != nil {
		return unread{err}
	}
	r.findRevisions(ctx)
	r.memory.creations.forget(&r.seen.revisions)
	r.seen.tasks().forget()
	r.recommend(ctx)
	r.observeDead()
	r.watchQueues(nil)
	r.readQueue()
	r.try(ctx)
	r.decide()
	err := r.act(ctx)
	r.raiseRunning(ctx)
	if r.seen.revisions.newest == nil { // else the rollout says it
		err = errors.Join(r.seen.unstored, err)
	}
	if len(tellOfEnds(&r.seen)) == 0 { // a canary that has ended may have done a task
		err = errors.Join(err, r.proofs().keepStop(ctx, r.seen.revisions.newest, r.account().rollout()))
	}
	return errors.Join(err, r.proofs().keepSightings(ctx, &r.seen.revisions, r.seen.sightings), r.finish(ctx))
}
