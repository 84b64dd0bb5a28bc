package qworker

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/recovery"
	"github.com/quickube/qscaler/internal/revision"
)

func fleetOf(name types.NamespacedName, uid types.UID) recovery.Fleet {
	return recovery.Fleet{Namespace: name.Namespace, Name: name.Name, UID: string(uid)}
}

// ownerOf has what is needed of the QWorker to tell its pods by.
func ownerOf(f recovery.Fleet) *v1alpha1.QWorker {
	return &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: f.Namespace, Name: f.Name, UID: types.UID(f.UID)}}
}

// newRecovery returns what reclaims the tasks of dead workers, beside the reconciliations.
func (r *Reconciler) newRecovery() *recovery.Recovery {
	return recovery.New(recovery.Options{
		Brokers: r.backlog, Presence: r.presence, Clock: r.clock,
		Names: recovery.Names{
			Family:   func(f recovery.Fleet) string { return revision.NamePrefix(ownerOf(f)) },
			FamilyOf: revision.PrefixOf,
		},
		Notify: func(f recovery.Fleet) {
			r.requests.Add(types.NamespacedName{Namespace: f.Namespace, Name: f.Name})
		},
	})
}

// Recovery is what reclaims the tasks of dead workers. Whoever runs the Reconciler without a manager starts it.
func (r *Reconciler) Recovery() *recovery.Recovery { return r.deadTasks }

// presence asks the API server itself about a pod that the cache does not show.
func (r *Reconciler) presence(ctx context.Context, f recovery.Fleet, worker string) (recovery.Presence, error) {
	if err := r.presences.wait(ctx, f.Namespace); err != nil {
		return recovery.Present, err
	}
	gone, err := r.fleets.Gone(ctx, ownerOf(f), worker)
	switch {
	case errors.Is(err, fleet.ErrNotOurs):
		return recovery.Foreign, nil
	case err != nil:
		return recovery.Present, err
	case gone:
		return recovery.Absent, nil
	}
	return recovery.Present, nil
}

// observeDead tells recovery which pods are there, and learns how it stands with the tasks of those that have died.
func (r *round) observeDead() {
	mode, recheck := r.seen.recoveryMode(r.memory.declined, r.reconciler.backlog.Last)
	r.recheckAt(recheck)
	at := r.seen.places()
	r.seen.dead = deadWorkers{mode: mode, deleting: r.seen.deleting(), qw: r.seen.qw, began: len(r.seen.states), Snapshot: r.reconciler.deadTasks.Observe(
		fleetOf(r.seen.name(), r.seen.qw.UID), recovery.Observation{
			Now: r.seen.now, Mode: mode, Deleting: r.seen.deleting(),
			Workers: workersOf(r.seen.pods, r.seen.states), Places: at.distinct(), At: at.where,
		})}
	if r.seen.dead.Vanished > 0 {
		r.memory.creations.retryQuotas(r.seen.now)
	}
	r.recheckAt(r.seen.dead.RecheckAt)
	r.seen.dead.ended = !slices.ContainsFunc(r.seen.pods, func(pod *corev1.Pod) bool { return !fleet.Ended(pod) })
	r.memory.fails.resume(r.seen.status.WorkersEndedTime, r.seen.now)
	r.recheckAt(r.seen.dead.giveUp(&r.memory.fails, r.seen.now, r.seen.config == nil, func(hash string) error {
		return r.reconciler.backlog.Last(at.key(hash)).Err
	}))
	r.seen.status.WorkersEndedTime = timeOf(r.memory.fails.ended)
}

func workersOf(pods []*corev1.Pod, states []planner.Pod) []recovery.Worker {
	workers := make([]recovery.Worker, len(states))
	for i, p := range states {
		id := fleet.IdentityOf(pods[i])
		workers[i] = recovery.Worker{
			Name: p.Name, Revision: p.Revision, HostName: id.HostName, PodIP: id.PodIP, Ended: id.Gone,
		}
	}
	return workers
}

// recoveryMode says whether the tasks of dead workers are ours to reclaim, and when time alone changes that; zero for
// never. The ScalerConfig of a deleted QWorker may have been deleted with it; that does not matter while the connection
// works.
func (o *observation) recoveryMode(declined bool, last func(backlog.Key) backlog.Reading) (mode recovery.Mode, changes time.Time) {
	switch {
	case declined:
		return recovery.Declined, time.Time{}
	case o.config != nil:
		return recovery.Active, time.Time{}
	case !o.deleting(): // a ScalerConfig that is away for a moment may come back changed
		return recovery.Suspended, time.Time{}
	case o.revisions.serving() == nil:
		return recovery.Abandoned, time.Time{}
	}
	reading := last(o.places().main())
	if reading.Err == nil {
		return recovery.Active, time.Time{}
	}
	timeout := reading.ErrSince.Add(goneBrokerTimeout)
	if broker.Lasting(reading.Err) || !o.now.Before(timeout) {
		return recovery.Abandoned, time.Time{}
	}
	return recovery.Active, timeout
}

// errUnplaced is why the tasks of workers are not returned of which nobody knows at which queue they worked.
var errUnplaced = errors.New("their revision was deleted, and their pods do not name their queue")

// holdup is why the tasks of dead workers are not returned yet, nil where that is a matter of moments.
func holdup(o *observation, last func(backlog.Key) backlog.Reading) error {
	if o.reading.Err != nil {
		return o.reading.Err
	}
	at := o.places()
	for _, w := range o.dead.gone() { // some are of another queue or broker
		if err := last(at.key(w.Revision)).Err; err != nil && !w.IsReturned() {
			return err
		}
	}
	for _, w := range o.dead.Dead { // always the same one: it is shown
		if w.Err != nil {
			return w.Err
		}
	}
	if len(o.dead.unplaced()) > 0 {
		return errUnplaced
	}
	return nil
}
