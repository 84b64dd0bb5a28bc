package qworker

import (
	"context"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/revision"
)

// findRevisions finds the newest and the published revision. Where the spec cannot be followed, or its revision cannot be
// stored, the published revision stays the newest: the fleet goes on with what it has.
func (r *round) findRevisions(ctx context.Context) {
	known := &r.seen.revisions
	if r.seen.deleting() { // no pod is made any more: what remains of the revision is enough
		known.published = known.of(r.seen.status.CurrentPodSpecHash)
		known.newest = known.published
		r.seen.fallBack(r.reconciler.resolver.Normalise)
		return
	}
	known.published = known.stored(r.seen.status.CurrentPodSpecHash)
	known.newest = known.published
	if r.seen.config == nil {
		r.seen.stalled = report.NoScalerConfig(r.seen.qw)
		return
	}
	content := revision.ContentOf(r.seen.qw, r.seen.connection)
	if err := content.Validate(); err != nil {
		r.seen.stalled = &report.Problem{Reason: report.ReasonInvalidPodSpec, Message: err.Error()}
		return
	}
	newest, retryAt, err := r.proofs().ensure(ctx, revisionWrite(r.seen.qw.Generation, r.seen.config.Generation), known.all, content, r.readConfig())
	r.recheckAt(retryAt)
	if err != nil {
		r.seen.unstored = err
		return
	}
	r.noteConfigChange(newest)
	if found := known.stored(newest.Hash); found != nil {
		found.Content, found.Config = newest.Content, newest.Config // the cache may lack its pod spec
	} else {
		known.all = append(known.all, newest)
	}
	known.newest = known.stored(newest.Hash)
	r.seen.judgeConfigs()
	// Somebody may have removed the published one. While pods of it are there, the newest has to prove itself all the same.
	known.protect(r.seen.status.CurrentPodSpecHash, r.seen.pods, r.memory.revisions)
	known.published = known.of(r.seen.status.CurrentPodSpecHash)
}

// fallBack makes up for a history that is gone before the QWorker is, as after a foreground deletion: what is left to do
// needs to know the queue and the connection, and those are in the spec. It is the published revision only where the hash
// says so: the spec may have been changed since.
func (o *observation) fallBack(normalise func(*v1alpha1.ScalerConfig) connection.Spec) {
	known := &o.revisions
	switch {
	case isPlaced(known.published):
	case len(known.all) > 0:
		known.newest = &known.all[len(known.all)-1]
	case len(known.remains) > 0:
		known.newest = &known.remains[len(known.remains)-1]
	case o.config != nil:
		known.newest = &revision.Revision{Content: revision.ContentOf(o.qw, normalise(o.config))}
		if known.newest.IsNamed(o.status.CurrentPodSpecHash) {
			known.newest.Hash = o.status.CurrentPodSpecHash
		}
	}
}
