package qworker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/recovery"
)

// rightsTimeout is for how long a QWorker that is being deleted waits for the operator's rights in its namespace, once
// that is being deleted.
const rightsTimeout = 10 * time.Second

// rightsPause is after how long the operator asks again in a namespace in which it has had no rights since its start.
const rightsPause = 10 * time.Second

// newSyncs holds the question back whether the cache shows all of a namespace, where the operator has no rights: each of
// its QWorkers asks it.
func newSyncs() *backoff.Attempts[string] {
	return backoff.NewAttempts[string](func(err error) (backoff.Policy, bool) {
		return backoff.Policy{First: time.Second, Longest: rightsPause}, apierrors.IsForbidden(err)
	})
}

// caughtUp reports whether the cache shows what the leader before wrote in a namespace.
func (r *Reconciler) caughtUp(ctx context.Context, namespace string) (done bool, err error) {
	err = r.syncs.Attempt(r.clock, namespace, func() error {
		done, err = r.cacheSync.Done(ctx, namespace)
		return err
	})
	return done, err
}

// waitForRights does nothing for a QWorker in a namespace in which the operator has had no rights since its start, but let
// it go when both are being deleted: it sees the QWorker all the same, by the ClusterRole qscaler-let-go.
func (r *Reconciler) waitForRights(ctx context.Context, name types.NamespacedName, refusal error) (ctrl.Result, error) {
	var qw v1alpha1.QWorker
	err := r.client.Get(ctx, name, &qw)
	if apierrors.IsNotFound(err) {
		r.forget(name)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the QWorker, %w", err)
	}
	present, former := r.memories.of(name, qw.UID)
	if former != nil {
		r.dropMemory(name, former)
	}
	round := newRound(r, &qw, present)
	err = round.letGoWithoutRights(ctx, refusal)
	switch {
	case round.gone:
		r.forget(name)
		return ctrl.Result{}, nil
	case errors.Is(err, refusal) && round.seen.deleting(): // what else is in the way is said
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: round.within(r.clock.Now(), rightsPause)}, nil
}

// letGoWithoutRights lets a QWorker go that is being deleted where the operator may do nothing any more: a namespace is
// being deleted, and the RoleBinding is gone. Nobody could finish what the finalizer waits for, and the namespace would
// never be gone. The garbage collector deletes pods that are left; SIGTERM tells their workers. In a namespace that stays,
// the rights may come back, and the tasks of the workers would be lost without the finalizer.
func (r *round) letGoWithoutRights(ctx context.Context, failure error) error {
	if !r.seen.deleting() || !isForbidden(failure, r.seen.dead.Dead) || !hasNoRights(ctx, r.reconciler.client, r.seen.qw.Namespace) {
		r.memory.forbiddenSince = time.Time{}
		return failure
	}
	if ends, err := namespaceEnds(ctx, r.reconciler.live, r.seen.qw.Namespace); err != nil || !ends {
		r.memory.forbiddenSince = time.Time{}
		return errors.Join(failure, err)
	}
	if r.memory.forbiddenSince.IsZero() {
		r.memory.forbiddenSince = r.seen.now
	}
	end := r.memory.forbiddenSince.Add(rightsTimeout)
	if r.seen.now.Before(end) {
		r.recheckAt(end)
		return failure
	}
	if err := dropFinalizer(ctx, r.reconciler.client, r.seen.qw); err != nil {
		return err
	}
	logs.Warn(ctrl.LoggerFrom(ctx), "Let go: the operator has no rights in the namespace any more, and can neither let workers finish nor return tasks",
		"pods", len(r.seen.pods), "deadWorkers", len(r.seen.dead.gone()))
	r.gone = true
	return nil
}

// isForbidden reports whether the API server has refused something in a round, or beside it, for want of a right.
func isForbidden(failure error, dead []recovery.Dead) bool {
	return apierrors.IsForbidden(failure) || slices.ContainsFunc(dead, func(w recovery.Dead) bool { return apierrors.IsForbidden(w.Err) })
}
