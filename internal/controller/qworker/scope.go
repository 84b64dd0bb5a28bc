package qworker

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// scope is one reconciliation: what was observed, what was decided, and what came of it.
type scope struct {
	*Reconciler
	qw     *v1alpha1.QWorker
	memory *memory
	now    time.Time

	// status is the one to be written; base is the one that the API server has.
	status *v1alpha1.QWorkerStatus
	base   *v1alpha1.QWorker

	// config is nil where the ScalerConfig does not exist.
	config *v1alpha1.ScalerConfig
	// stalled says why the spec cannot be followed, nil where it can.
	stalled error

	revisions []revision.Revision
	// newest is the revision that the spec describes; published is the proven one. Either is nil where
	// there is none.
	newest    *revision.Revision
	published *revision.Revision

	pods   []*corev1.Pod
	states []planner.Pod
	// creating has the names of the pods that are about to be created, with their revision.
	creating map[string]string

	// main is mainKey, made once.
	main     string
	reading  backlog.Reading
	size     sizing
	sizes    sizes
	decision planner.Decision
	done     []planner.Action
	// refused has the revisions of which a pod is to be created and cannot be.
	refused []string
	// returned counts the tasks of dead workers that were given back to the queue.
	returned int64
	// searches has how those stand that are not over.
	searches []search
	// searchErr says why such a search fails again and again.
	searchErr error
	// reclaimErr says why the tasks of a pod that is no more could not be given back.
	reclaimErr error

	// again is true when there is more to do at once.
	again bool
	// sized is true once the fleet and the queue were looked at; before, the status keeps its figures.
	sized bool
	// gone is true once the finalizer was removed.
	gone bool
	// wakes is when time alone may change the decision; zero for never.
	wakes time.Time
}

func (s *scope) name() types.NamespacedName { return client.ObjectKeyFromObject(s.qw) }

func (s *scope) deleting() bool { return s.qw.DeletionTimestamp != nil }

// unread is why what is could not be read.
type unread struct{ error }

func (e unread) Unwrap() error { return e.error }

// reconcile walks the steps from what is to what shall be.
func (s *scope) reconcile(ctx context.Context) error {
	if s.deleting() && s.letGoAtOnce() {
		return s.release(ctx)
	}
	if err := s.observe(ctx); err != nil {
		return unread{err}
	}
	if err := s.settleRevisions(ctx); err != nil {
		return err
	}
	s.recommend(ctx)
	s.trackPods()
	s.watchQueues()
	s.readQueue()
	s.giveBack(ctx)
	s.decide(ctx)
	err := s.act(ctx)
	s.raiseRunning(ctx)
	return errors.Join(err, s.keepVerdict(ctx), s.finish(ctx))
}

// observe reads everything that the decision depends on, but for the queue.
func (s *scope) observe(ctx context.Context) error {
	var config v1alpha1.ScalerConfig
	err := s.client.Get(ctx, types.NamespacedName{Namespace: s.qw.Namespace, Name: s.qw.Spec.ScaleConfig.ScalerConfigRef}, &config)
	switch {
	case err == nil:
		s.config = &config
		s.memory.declined = !ptr.Deref(config.Spec.Config.Reclaim, true)
	case !apierrors.IsNotFound(err):
		return err
	}
	if s.revisions, err = s.history.List(ctx, s.qw); err != nil {
		return err
	}
	s.revisions = s.memory.withStored(s.revisions, s.now)
	if r := s.revision(s.memory.proven); r != nil {
		r.Proven = true
	}
	if s.pods, err = s.fleets.Observe(ctx, s.qw); err != nil {
		return err
	}
	s.states = s.statesOf(s.pods)
	if err := s.readNodes(ctx); err != nil {
		return err
	}
	s.noteDepartures()
	return nil
}

// settleRevisions finds the newest and the published revision. Where the spec cannot be followed, the
// published revision stays the newest, and the fleet as it is.
func (s *scope) settleRevisions(ctx context.Context) error {
	s.published = s.revision(s.status.CurrentPodSpecHash)
	s.newest = s.published
	if s.deleting() {
		s.recallRevision()
		return nil
	}
	if s.config == nil {
		s.stalled = errScalerConfigNotFound(s.qw)
		return nil
	}
	content := revision.ContentOf(s.qw, connection.Normalise(s.config))
	if err := content.Validate(); err != nil {
		s.stalled = &stall{reason: reasonInvalidPodSpec, message: err.Error()}
		return nil
	}
	newest, err := s.history.Ensure(ctx, s.qw, s.revisions, content)
	if err != nil {
		return err
	}
	if s.revision(newest.Hash) == nil {
		s.memory.stored = &storedRevision{newest, s.now.Add(cachePatience)}
		s.revisions = append(s.revisions, newest)
	}
	s.newest = s.revision(newest.Hash)
	s.published = s.revision(s.status.CurrentPodSpecHash)
	return nil
}

// recallRevision makes up for a history that is gone before the QWorker is, as after a foreground deletion:
// what is left to do needs to know the queue and the connection, and those are in the spec.
func (s *scope) recallRevision() {
	switch {
	case s.published != nil:
	case len(s.revisions) > 0:
		s.newest = &s.revisions[len(s.revisions)-1]
	case s.config != nil:
		s.newest = &revision.Revision{Hash: s.status.CurrentPodSpecHash, Content: revision.ContentOf(s.qw, connection.Normalise(s.config))}
	}
}

func (s *scope) revision(hash string) *revision.Revision {
	for i := range s.revisions {
		if s.revisions[i].Hash == hash {
			return &s.revisions[i]
		}
	}
	return nil
}

// workerOf is the name of a pod's worker container, as its revision has it.
func (s *scope) workerOf(pod *corev1.Pod) string {
	if r := s.revision(fleet.RevisionOf(pod)); r != nil {
		return r.WorkerContainer()
	}
	if len(pod.Spec.Containers) > 0 {
		return pod.Spec.Containers[0].Name
	}
	return ""
}

func (s *scope) statesOf(pods []*corev1.Pod) []planner.Pod {
	states := make([]planner.Pod, len(pods))
	for i, pod := range pods {
		states[i] = fleet.StateOf(pod, s.workerOf(pod))
		states[i].Signalled = s.signalled(states[i].Revision)
		states[i].MaxTaskDuration = s.maxTaskDuration(states[i].Revision)
	}
	s.memory.setBack(states, s.now)
	s.memory.noteGrants(states, s.now)
	return states
}

// wakeAt brings the next reconciliation forward to t. Zero is never, and what is past has been dealt with.
func (s *scope) wakeAt(t time.Time) {
	if t.After(s.now) && (s.wakes.IsZero() || t.Before(s.wakes)) {
		s.wakes = t
	}
}

// requeueAfter is the time until the next reconciliation that time alone calls for, 0 for none.
func (s *scope) requeueAfter() time.Duration {
	switch {
	case s.again:
		return time.Millisecond
	case s.wakes.IsZero():
		return 0
	default:
		return max(s.wakes.Sub(s.clock.Now()), time.Millisecond)
	}
}
