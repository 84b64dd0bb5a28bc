package qworker

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// proofs stores the revisions of a QWorker, and what has become of them, for a later leader.
type proofs struct {
	history *revision.History
	qw      *v1alpha1.QWorker
	clock   clock.PassiveClock
	writes  *backoff.Attempts[write]
}

func (r *round) proofs() proofs {
	return proofs{r.reconciler.history, r.seen.qw, r.reconciler.clock, r.memory.writes}
}

// ensure stores the revision of a content where it is not stored yet. One that was refused is held back until retryAt, or
// until what it is made of changes.
func (p proofs) ensure(
	ctx context.Context, key write, all []revision.Revision, content revision.Content, config revision.Config,
) (newest revision.Revision, retryAt time.Time, err error) {
	p.writes.Forget(func(k write) bool { return k.isRevision() && k != key })
	err = p.writes.Attempt(p.clock, key, func() (err error) {
		newest, err = p.history.Ensure(ctx, p.qw, all, content, config)
		return err
	})
	return newest, p.writes.RetryAt(key), err
}

// store stores something of a revision. What was refused is held back.
func (p proofs) store(what, hash string, act func() error) error {
	return p.writes.Attempt(p.clock, write(what+" of "+hash), act)
}

// mark stores, before a decision is carried out, which revisions work and which is tried. Published without its proof, a
// revision would give way at once to whatever comes next.
func (p proofs) mark(ctx context.Context, known *revisions, d planner.Decision) error {
	if known.published != nil && d.Proven && known.stored(known.published.Hash) != nil {
		if err := p.prove(ctx, known.published); err != nil {
			return err
		}
	}
	if d.Stage != planner.Canary {
		return nil
	}
	if d.Publish != "" { // the canary that shows it may be gone before anybody looks again
		if err := p.prove(ctx, known.newest); err != nil {
			return err
		}
	}
	tries := slices.ContainsFunc(d.Actions, func(a planner.Action) bool {
		return a.Kind == planner.Create && a.Revision == known.newest.Hash
	})
	if tries && !known.newest.Tried {
		return p.store("trial", known.newest.Hash, func() error { return p.history.MarkTried(ctx, p.qw, *known.newest) })
	}
	return nil
}

// prove stores that a revision works.
func (p proofs) prove(ctx context.Context, works *revision.Revision) error {
	if works.Proven {
		return nil
	}
	if err := p.store("proof", works.Hash, func() error { return p.history.MarkProven(ctx, p.qw, *works) }); err != nil {
		return err
	}
	works.Proven = true
	return nil
}

// keepStop stores why a canary failed, for the time when there is none: with the last message a fleet is scaled to none,
// and its canaries with it. The words are those of the first pod; that the next one has another name is not worth a write.
func (p proofs) keepStop(ctx context.Context, newest *revision.Revision, rollout report.Rollout) error {
	why, stopped := rollout.Stopped()
	if newest == nil || p.qw.DeletionTimestamp != nil || !rollout.Trying() || !stopped {
		return nil
	}
	if kept := newest.Stop; kept.Generation == p.qw.Generation && kept.Reason == why.Reason {
		return nil
	}
	v := revision.Stop{Generation: p.qw.Generation, Reason: why.Reason, Message: why.Message}
	if err := p.store("stop", newest.Hash, func() error { return p.history.KeepStop(ctx, p.qw, *newest, v) }); err != nil {
		return err
	}
	newest.Stop = v
	return nil
}

// keepSightings stores which revisions were seen at a task. Scaling does not wait for it.
func (p proofs) keepSightings(ctx context.Context, known *revisions, seen *sightings) error {
	var errs []error
	for i := range known.all {
		made := &known.all[i]
		if made.SeenAtTask || !seen.has(made.Hash) {
			continue
		}
		err := p.store("sighting", made.Hash, func() error { return p.history.MarkSeenAtTask(ctx, p.qw, *made) })
		if err != nil {
			errs = append(errs, err)
			continue
		}
		made.SeenAtTask = true
	}
	return errors.Join(errs...)
}
