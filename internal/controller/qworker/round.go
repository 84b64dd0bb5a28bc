package qworker

import (
	"github.com/quickube/qscaler/api/v1alpha1"
	rightsizing "github.com/quickube/qscaler/internal/controller/qworker/sizing"
	"github.com/quickube/qscaler/internal/planner"
)

// round is one reconciliation: what was observed, what was decided, and what came of it.
type round struct {
	reconciler *Reconciler
	seen       observation
	recheck
	object object
	memory *memory

	wanted wanted
	// sizes is what right-sizing recommends and does.
	sizes rightsizing.Round

	decision planner.Decision
	// undecided is true where the decision was made while a reading was still to tell of a worker's end.
	undecided bool
	// barred is true where what must be stored of the newest revision before it is tried or published could not be: it
	// takes nobody's place then, as one whose queue is unread.
	barred bool
	// finalizerErr is why the finalizer could not be written, without which no pod is created.
	finalizerErr error
	results
}

// results are what came of the decision.
type results struct {
	done []planner.Action
	// publishes is the hash that is published with this round's status, "" where it stays.
	publishes string
	// changedConfig has the Secrets and ConfigMaps for whose change a revision was stored.
	changedConfig []string
	// uncreated has the revisions of which a pod is to be created and cannot be.
	uncreated []string
	// gone is true once the finalizer was removed.
	gone bool
}

// newRound begins with the QWorker as this process last wrote it, where the cache shows an older one: a revision that
// was published must not look unpublished a moment later.
func newRound(r *Reconciler, cached *v1alpha1.QWorker, m *memory) *round {
	m.meet(cached)
	now, qw := r.clock.Now(), r.qworkers.Newest(cached.UID, cached)
	m.freshness.begin(now)
	return &round{
		reconciler: r,
		seen:       observation{now: now, qw: qw, status: qw.Status.DeepCopy(), sightings: &m.sightings, ends: &m.ends},
		recheck:    recheck{from: now},
		object:     object{client: r.client, clock: r.clock, written: r.qworkers, writes: m.writes, qw: qw, base: qw},
		memory:     m,
	}
}

func passwordsOf(r *round) passwords {
	return passwords{r.reconciler.resolver, r.seen.qw.Namespace, r.seen.config, r.seen.connection, &r.seen.revisions, map[string]string{}}
}
