package qworker

import (
	"context"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/revision"
)

// watched is a queue that the backlog is to keep current.
type watched struct {
	revision *revision.Revision
	workers  []broker.Worker
}

// watchQueues tells the backlog which queues to keep current, and which workers to count there: those that are about to
// be created, too, by pod and revision. The queue is read with them from before their creation on: a worker that takes a
// message before it is known would make the message seem done.
func (r *round) watchQueues(creating map[string]string) {
	if r.seen.revisions.serving() == nil {
		return
	}
	queues := r.seen.queuesToWatch(creating)
	for key := range r.memory.watches {
		if _, still := queues[key]; !still {
			r.reconciler.backlog.Forget(key)
			delete(r.memory.watches, key)
		}
	}
	look := r.seen.tasks().lookout(creating)
	for key, q := range queues {
		r.memory.watches[key] = true
		r.reconciler.backlog.Watch(key, backlog.Watch{
			Source:      r.reconciler.sourceOf(r.seen.qw.Namespace, q.revision.Connection),
			Query:       broker.Query{Queue: q.revision.Queue, Group: q.revision.Group, Workers: q.workers},
			Significant: r.significance(key, look),
			Reclaims:    r.seen.dead.reclaims(),
		})
	}
}

func (o *observation) queuesToWatch(creating map[string]string) map[backlog.Key]*watched {
	at := o.places()
	queues := map[backlog.Key]*watched{at.main(): {revision: o.revisions.serving()}}
	workers, hashes := o.workers(creating)
	for i, w := range workers {
		key := at.key(hashes[i])
		if queues[key] == nil {
			queues[key] = &watched{revision: o.revisions.of(hashes[i])}
		}
		queues[key].workers = append(queues[key].workers, w.Worker)
	}
	for _, search := range o.dead.Searches {
		if queues[search.Place.Key] == nil {
			queues[search.Place.Key] = &watched{revision: o.revisions.of(search.Place.Revision)}
		}
	}
	if newest := o.revisions.newest; newest != nil && !o.deleting() { // to see whether its broker answers
		if key := at.key(newest.Hash); queues[key] == nil {
			queues[key] = &watched{revision: newest}
		}
	}
	return queues
}

// workers are those that have a pod, had one or are to have one, by what a broker may tell them from each other, and the
// revision of each.
func (o *observation) workers(creating map[string]string) (workers []fleet.Identity, hashes []string) {
	gone := o.dead.gone()
	n := len(o.states) + len(gone) + len(creating)
	workers, hashes = make([]fleet.Identity, 0, n), make([]string, 0, n)
	add := func(id fleet.Identity, hash string) { workers, hashes = append(workers, id), append(hashes, hash) }
	for i, p := range o.states {
		add(fleet.IdentityOf(o.pods[i]), p.Revision)
	}
	for _, d := range gone {
		add(fleet.Identity{Worker: broker.Worker{PodName: d.Worker, HostName: d.HostName, PodIP: d.PodIP}, Gone: true}, d.Revision)
	}
	for pod, hash := range creating {
		id := fleet.Identity{Worker: broker.Worker{PodName: pod}}
		if made := o.revisions.stored(hash); made != nil {
			id.Worker = fleet.IdentityToBe(pod, &made.PodSpec)
		}
		add(id, hash)
	}
	fleet.KeepDistinct(workers)
	return workers, hashes
}

// sourceOf is how the backlog reaches a broker. QWorkers of a namespace with equal connections share one.
func (r *Reconciler) sourceOf(namespace string, spec connection.Spec) backlog.Source {
	return backlog.Source{
		ID:   connection.ID(namespace, spec),
		Kind: r.resolver.Kind(spec),
		Resolve: func(ctx context.Context) (broker.Config, error) {
			return r.resolver.Config(ctx, namespace, spec)
		},
		Claim:    func(ctx context.Context) (broker.Claim, error) { return r.claim(ctx, namespace) },
		HadRival: func() bool { return r.resolver.HadRival(namespace, spec) },
	}
}

// readQueue takes the newest readings and scales the fleet by them. It requests others where a worker has ended so soon
// that only a later reading tells whether its task is done.
func (r *round) readQueue() {
	r.seen.take(r.reconciler.backlog.Last)
	r.seen.judgeEnds(r.reconciler.clock.Now())
	for _, key := range tellOfEnds(&r.seen) {
		r.reconciler.backlog.Request(key)
	}
	r.scale()
}

// take takes the newest readings, and notes who is at a task by them.
func (o *observation) take(read func(backlog.Key) backlog.Reading) {
	newest := ""
	if o.revisions.newest != nil && !o.deleting() {
		newest = o.revisions.newest.Hash
	}
	o.readings = takeReadings(o.places(), o.states, newest, read)
	look := o.tasks().lookout(nil)
	look.finds(o.reading)
	for _, reading := range o.elsewhere {
		look.finds(reading)
	}
}

// significance tells which readings of a queue wake the QWorker; see wakeup.
func (r *round) significance(key backlog.Key, look lookout) func(prev, next backlog.Reading) bool {
	at := r.seen.places()
	w := wakeup{lookout: look, awaited: r.seen.dead.awaited(func(d string) bool { return at.key(d) == key })}
	w.leaving = r.seen.leaving(r.decision.Actions)
	if r.seen.newestApart() && key == at.key(r.seen.revisions.newest.Hash) {
		newest := r.seen.revisions.newest.Hash
		last := r.seen.elsewhere[newest]
		if !last.Known {
			last = r.reconciler.backlog.Last(key)
		}
		w.decided = r.seen.scalingInput(last, w.leaving, 0, r.seen.workersAt(newest), r.memory.scaling[at.placeOf(newest)])
		return w.asksForOthers
	}
	if key != at.main() {
		return w.findsHeld
	}
	w.last = r.seen.reading
	if !w.last.Known {
		w.last = r.reconciler.backlog.Last(key)
	}
	serving := r.seen.revisions.serving().Hash
	w.decided = r.seen.scalingInput(w.last, w.leaving, r.seen.before(), r.seen.workersAt(serving), r.memory.scaling[at.placeOf(serving)])
	w.excess = !r.memory.excessSince.IsZero()
	w.shown, w.written = r.seen.status.Queue, r.memory.told.QueueWritten
	w.clock, w.interval = r.reconciler.clock, r.reconciler.queueStatusInterval
	return w.matters
}
