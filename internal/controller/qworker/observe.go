package qworker

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// observation is what a round has seen.
type observation struct {
	now time.Time
	qw  *v1alpha1.QWorker
	// status is the one that is to be written.
	status *v1alpha1.QWorkerStatus
	// config is nil where the ScalerConfig does not exist.
	config *v1alpha1.ScalerConfig
	// connection is what the ScalerConfig says of the broker, defaults filled in.
	connection connection.Spec
	// stalled says why the spec cannot be followed, nil where it can.
	stalled *report.Problem
	// unstored is why the revision that the spec describes cannot be stored, nil where it is.
	unstored error
	// wouldRefuse is why the API server would refuse a pod of the newest revision, nil where it would not or nobody knows.
	wouldRefuse error

	podConfig podConfig

	revisions revisions
	pods      []*corev1.Pod
	states    []planner.Pod
	dead      deadWorkers
	// sightings has the revisions that were seen at a task and of which that is not stored yet.
	sightings *sightings
	// ends is what is known of the tasks of workers that end by themselves.
	ends *ends

	readings
}

func (o *observation) name() types.NamespacedName { return client.ObjectKeyFromObject(o.qw) }

func (o *observation) deleting() bool { return o.qw.DeletionTimestamp != nil }

func (o *observation) places() places { return places{o.name(), &o.revisions} }

// statesWithWork adds what the broker knows of each worker.
func (o *observation) statesWithWork() []planner.Pod {
	at := o.places()
	states := make([]planner.Pod, len(o.states))
	for i := range o.states {
		states[i] = o.stateWithWork(at, i)
	}
	return states
}

// stateWithWork is where a pod stands, with what the broker knows of its worker. One that it knows nothing of is not idle.
func (o *observation) stateWithWork(at places, i int) planner.Pod {
	p := o.states[i]
	reading := o.readingOf(at, p.Revision)
	held, known := reading.Depth.Held[p.Name]
	switch {
	case !known || !isKnown(reading):
		p.Work = planner.Unknown
	case held > 0:
		p.Work = planner.Busy
	case o.tasks().show(p.Revision):
		p.Work = planner.Idle
	default:
		p.Work = planner.Unknown
	}
	p.Elsewhere = !at.shares(p.Revision)
	p.Reclaimed = o.dead.mayRemove(o.pods[i])
	p = p.AsKnown(o.now, o.deleting())
	p.Stays = o.tasks().keep(p, o.pods[i], reading)
	return p
}

// judgeEnds tells which of the workers that have ended had done a task, as of now: the pods may have been read long after
// the round began.
func (o *observation) judgeEnds(now time.Time) {
	at := o.places()
	o.tasks().judge(now, func(hash string) backlog.Reading { return o.readingOf(at, hash) })
}

// unread is why what is could not be read.
type unread struct{ error }

func (e unread) Unwrap() error { return e.error }

// observe reads everything that the decision depends on, but for the queue.
func (r *round) observe(ctx context.Context) error {
	var config v1alpha1.ScalerConfig
	err := r.reconciler.client.Get(ctx, types.NamespacedName{Namespace: r.seen.qw.Namespace, Name: r.seen.qw.Spec.ScaleConfig.ScalerConfigRef}, &config)
	switch {
	case err == nil:
		r.seen.config, r.seen.connection = &config, r.reconciler.resolver.Normalise(&config)
		r.memory.declined = !ptr.Deref(config.Spec.Config.Reclaim, true)
	case !apierrors.IsNotFound(err):
		return err
	}
	if r.seen.revisions.all, err = r.reconciler.history.List(ctx, r.seen.qw); err != nil {
		return err
	}
	if err := r.observePods(ctx); err != nil {
		return err
	}
	r.memory.told.NoteDepartures(r.seen.states, r.seen.now)
	return nil
}

// observePods reads the pods, and what their nodes mean for them.
func (r *round) observePods(ctx context.Context) error {
	pods, err := r.reconciler.fleets.Observe(ctx, r.seen.qw)
	if err != nil {
		return err
	}
	if err := r.reconciler.history.Complete(ctx, r.seen.qw, r.seen.revisions.all, isMadeOf(pods, r.seen.status.CurrentPodSpecHash)); err != nil {
		return err
	}
	var present []connection.Spec
	if r.seen.config != nil {
		present = append(present, r.seen.connection)
	}
	r.memory.revisions = r.seen.revisions.remember(r.memory.revisions, pods, r.seen.deleting(), present)
	nodes, err := r.reconciler.readNodes(ctx, pods)
	if err != nil {
		return err
	}
	heardSince := r.reconciler.heardSince()
	states, passwords := make([]planner.Pod, len(pods)), passwordsOf(r)
	for i, pod := range pods {
		worker := r.seen.revisions.workerOf(pod)
		states[i] = fleet.StateOf(pod, worker)
		states[i].DownSince = r.memory.downSince(pod, worker, r.seen.now, heardSince)
		made := r.seen.revisions.of(states[i].Revision)
		states[i].Signalled = isSignalled(r.seen.qw.Spec.Drain, made)
		states[i].OldPassword = passwords.isOld(pod)
		states[i].MaxTaskDuration = maxTaskDuration(r.seen.qw.Spec.Drain, made)
		if node, onNode := nodes[pod.Spec.NodeName]; onNode {
			state := fleet.StateOfNode(node, pod.Spec.Tolerations)
			states[i].NodeLeaving = state.Leaving && !r.seen.revisions.isPinned(pod)
			states[i].Unreachable = states[i].Unreachable || state.Unreachable
		}
	}
	r.memory.forgetDown(states)
	r.memory.correctSkew(states, r.seen.now)
	r.memory.noteGrants(states, r.seen.now)
	r.seen.pods, r.seen.states = pods, states
	r.seen.judgeConfigs()
	r.seen.judgeEnds(r.reconciler.clock.Now())
	return nil
}

// isMadeOf tells of which revisions there are pods, or will be: more is to be known of those than of the others.
func isMadeOf(pods []*corev1.Pod, published string) func(hash string) bool {
	made := map[string]bool{published: true}
	for _, pod := range pods {
		made[fleet.RevisionOf(pod)] = true
	}
	return func(hash string) bool { return made[hash] }
}
