package qworker

import (
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// trialTime bounds a dry run: a slow webhook is not to delay the fleet's scaling for long.
const trialTime = 2 * time.Second

// newTrials has, by namespace, the dry runs that the API server did not answer. They say nothing of a pod. A webhook that
// hangs would hold each QWorker of its namespace up in turn: while it does, only one of them asks from time to time.
func newTrials() *backoff.Attempts[string] {
	return backoff.NewAttempts[string](func(err error) (backoff.Policy, bool) {
		return backoff.Policy{First: time.Second, Longest: time.Minute}, !fleet.CreationRefused(err)
	})
}

// trial is what the API server has said of a pod of the newest revision, by a dry run: what it would refuse at the first
// message is known when the QWorker is applied.
type trial struct {
	// of is the revision.
	of string
	// accepted is true where it takes the pod, or cannot be asked at all.
	accepted bool
}

// try asks the API server whether it would create a pod of the newest revision, as long as none was ever ready and there
// is none. A refusal holds the revision back like that of a pod. That nobody answers is no refusal.
func (r *round) try(ctx context.Context) {
	if !isUntried(&r.seen) {
		return
	}
	newest, namespace := r.seen.revisions.newest, r.seen.qw.Namespace
	next, refusal := r.memory.trial.answer(r.reconciler.clock, newest.Hash, r.memory.creations, func() error {
		return r.reconciler.trials.Attempt(r.reconciler.clock, namespace, func() error {
			return dryRun(ctx, r.reconciler.client, newest.Hash, newest.Make(revision.NewPodName(r.seen.qw), revision.PodOptions{
				Owner: r.seen.qw, Broker: r.reconciler.resolver.Env(newest.Connection, r.seen.config), Published: newest.Hash,
			}))
		})
	})
	r.seen.wouldRefuse = refusal
	if r.recheckAt(next); !r.memory.trial.accepted {
		r.recheckAt(r.reconciler.trials.RetryAt(namespace))
	}
}

// isUntried reports whether nobody knows whether there can be a pod of the newest revision.
func isUntried(o *observation) bool {
	newest := o.revisions.newest
	if newest == nil || o.deleting() || o.config == nil || o.stalled != nil || o.unstored != nil || newest.Proven {
		return false
	}
	return !slices.ContainsFunc(o.states, func(p planner.Pod) bool { return p.Revision == newest.Hash })
}

// answer is when the API server is asked again, and why it would refuse a pod of a revision, nil where it would not or
// nobody knows. It is asked once for each revision, and again only after a refusal, when its time has come.
func (t *trial) answer(clk clock.PassiveClock, hash string, failures creations, ask func() error) (next time.Time, refusal error) {
	if t.of != hash {
		*t = trial{of: hash}
	}
	last := failures[hash]
	refused := fleet.CreationRefused(last.Err)
	switch {
	case refused && clk.Now().Before(last.Until):
		return last.Until, last.Err
	case t.accepted && !refused:
		return time.Time{}, nil
	}
	err := ask()
	switch {
	case err == nil || takesNoDryRuns(err):
		t.accepted = true
		if refused {
			delete(failures, hash)
		}
	case fleet.CreationRefused(err):
		last = last.Failed(clk.Now(), fleet.WriteBackoff(err), err)
		failures[hash] = last
		return last.Until, err
	}
	return time.Time{}, nil
}

func dryRun(ctx context.Context, c client.Writer, hash string, pod revision.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	if err := pod.Create(ctx, c, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
		return fleet.NewCreateError(hash, pod.Name, err)
	}
	return nil
}

// takesNoDryRuns reports whether the API server cannot be asked: a webhook has side effects.
func takesNoDryRuns(err error) bool { return strings.Contains(err.Error(), "does not support dry run") }
