package qworker

import (
	"context"
	"errors"
	"slices"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// act carries the decision out, in an order in which a failure leaves nothing half-said: what a later leader must know
// is stored first, and a revision is published last.
func (r *round) act(ctx context.Context) error {
	r.addFinalizer(ctx)
	unproven := r.storeProofs(ctx)
	r.memory.excessSince = r.decision.ExcessSince
	r.recheckAt(r.decision.RecheckAt)
	for _, m := range r.decision.Missing {
		ctrl.LoggerFrom(ctx).V(1).Info("Not created", "revision", m.Revision, "pods", m.Pods, "why", m.Why)
	}
	creating := nameCreations(r.seen.qw, r.decision.Actions)
	passwordsOf(r).learn(ctx, creating)
	r.watchQueues(creating)
	done, err := r.reconciler.fleets.Apply(ctx, r.seen.qw, r.seen.pods, r.decision.Actions, r.seen.revisions.workerOf, r.newPod)
	r.done, r.publishes = done, r.decision.PublishedAfter(done)
	blamed, err := otherThanSize(&r.sizes, done, err)
	r.again = r.again || blamed || r.decision.More && creates(done)
	uncreated, next, rest := r.memory.creations.note(r.reconciler.clock.Now(), done, err)
	r.uncreated = slices.Concat(r.decision.Retrying, uncreated)
	if r.seen.wouldRefuse != nil {
		r.uncreated = append(r.uncreated, r.seen.revisions.newest.Hash)
	}
	r.recheckAt(next)
	return errors.Join(unproven, r.finalizerErr, r.memory.freshness.failing(r.decision, done, rest))
}

// addFinalizer writes the finalizer before there are pods. Where it cannot be written, the decision is made anew without creations.
func (r *round) addFinalizer(ctx context.Context) {
	if len(r.seen.pods) == 0 && !creates(r.decision.Actions) {
		return
	}
	if r.finalizerErr = r.object.addFinalizer(ctx); r.finalizerErr != nil {
		r.barred = true
		r.decide()
	}
}

// storeProofs stores what a later leader must know of the revisions. What cannot be stored holds back the rollout, and
// nothing else: the decision is made anew, and the newest revision takes nobody's place in it.
func (r *round) storeProofs(ctx context.Context) error {
	err := r.proofs().mark(ctx, &r.seen.revisions, r.decision)
	if err != nil && r.decision.Stage == planner.Canary {
		r.barred = true
		r.decide()
	}
	return err
}

// creates reports whether one of the actions creates a pod.
func creates(actions []planner.Action) bool {
	return slices.ContainsFunc(actions, func(a planner.Action) bool { return a.Kind == planner.Create })
}

// nameCreations chooses the names of the pods that will be created, and returns them with their revisions.
func nameCreations(qw *v1alpha1.QWorker, actions []planner.Action) map[string]string {
	creating := map[string]string{}
	for i, a := range actions {
		if a.Kind == planner.Create {
			actions[i].Pod = revision.NewPodName(qw)
			creating[actions[i].Pod] = a.Revision
		}
	}
	return creating
}

func (r *round) newPod(a planner.Action) revision.Pod {
	published := r.seen.revisions.newest.Hash
	if r.seen.revisions.published != nil && r.decision.Publish == "" {
		published = r.seen.revisions.published.Hash
	}
	made := r.seen.revisions.of(a.Revision)
	pod := made.Make(a.Pod, revision.PodOptions{
		Owner: r.seen.qw, Broker: r.reconciler.resolver.Env(made.Connection, r.seen.config), Published: published, Failures: a.Level,
		OtherConfig: len(made.Changed(r.seen.podConfig.present)) > 0,
		Fingerprint: r.reconciler.resolver.Fingerprint(r.seen.qw.Namespace, made.Connection, r.seen.config),
	})
	r.sizes.SizePod(pod.Pod)
	return pod
}
