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
	"github.com/quickube/qscaler/internal/revision"
)

// observation is what a round has seen.
type observation struct {
	now time.Time
	qw  *v1alpha1.QWorker
	// status is the one that is to be written.
	status *v1alpha1.QWorkerStatus
	// config is nil where the ScalerConfig does not exist.
	config *v1alpha1.ScalerConfig
	// stalled says why the spec cannot be followed, nil where it can.
	stalled *report.Problem
	// unstored is why the revision that the spec describes cannot be stored, nil where it is.
	unstored error

	revisions revisions
	pods      []*corev1.Pod
	states    []planner.Pod
	dead      deadWorkers
	// sightings has the revisions that were seen at a task and of which that is not stored yet.
	sightings *sightings
	// ends is what is known of the tasks of workers that end by themselves.
	ends *ends

	// reading is the newest of the queue that the depth is read of.
	reading backlog.Reading
	// elsewhere has the newest readings of the other queues, by the revision that works there: of the newest revision, and
	// of those that have pods.
	elsewhere map[string]backlog.Reading
	// newestUnread is true where the newest revision works on another queue or broker than the published one, which has
	// yet to be read; newestErr is why it cannot be. Such a revision takes nobody's place: its pods may well start, and
	// would all wait for a broker that is not there.
	newestUnread bool
	newestErr    error
}

func (o *observation) name() types.NamespacedName { return client.ObjectKeyFromObject(o.qw) }

func (o *observation) deleting() bool { return o.qw.DeletionTimestamp != nil }

func (o *observation) places() places { return places{o.name(), &o.revisions} }

func (o *observation) depthKnown() bool { return isKnown(o.reading) }

// isKnown reports whether a reading is good, and no newer one has failed.
func isKnown(r backlog.Reading) bool { return r.Known && r.Err == nil }

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
	case o.showsTasks(p.Revision):
		p.Work = planner.Idle
	default:
		p.Work = planner.Unknown
	}
	p.Elsewhere = !at.shares(p.Revision)
	p.Reclaimed = o.dead.mayRemove(o.pods[i])
	p = p.AsKnown(o.now, o.deleting())
	p.Stays = o.stays(p, i, reading)
	return p
}

// readingOf is the newest reading of the queue that a revision works on.
func (o *observation) readingOf(at places, hash string) backlog.Reading {
	if at.shares(hash) {
		return o.reading
	}
	return o.elsewhere[hash]
}

// observe reads everything that the decision depends on, but for the queue.
func (r *round) observe(ctx context.Context) error {
	var config v1alpha1.ScalerConfig
	err := r.client.Get(ctx, types.NamespacedName{Namespace: r.qw.Namespace, Name: r.qw.Spec.ScaleConfig.ScalerConfigRef}, &config)
	switch {
	case err == nil:
		r.config = &config
		r.memory.declined = !ptr.Deref(config.Spec.Config.Reclaim, true)
	case !apierrors.IsNotFound(err):
		return err
	}
	if r.revisions.all, err = r.history.List(ctx, r.qw); err != nil {
		return err
	}
	if err := r.observePods(ctx); err != nil {
		return err
	}
	r.memory.told.NoteDepartures(r.states, r.now)
	return nil
}

// observePods reads the pods, and what their nodes mean for them.
func (r *round) observePods(ctx context.Context) error {
	pods, err := r.fleets.Observe(ctx, r.qw)
	if err != nil {
		return err
	}
	if err := r.history.Complete(ctx, r.qw, r.revisions.all, r.isMadeOf(pods)); err != nil {
		return err
	}
	var present []connection.Spec
	if r.config != nil {
		present = append(present, r.resolver.Normalise(r.config))
	}
	r.memory.revisions = r.revisions.remember(r.memory.revisions, pods, r.deleting(), present)
	nodes, err := r.readNodes(ctx, pods)
	if err != nil {
		return err
	}
	states := make([]planner.Pod, len(pods))
	for i, pod := range pods {
		worker := r.revisions.workerOf(pod)
		states[i] = fleet.StateOf(pod, worker)
		states[i].DownSince = r.memory.downSince(pod, worker, r.now)
		made := r.revisions.of(states[i].Revision)
		states[i].Signalled = isSignalled(r.qw.Spec.Drain, made)
		states[i].MaxTaskDuration = maxTaskDuration(r.qw.Spec.Drain, made)
		if node, onNode := nodes[pod.Spec.NodeName]; onNode {
			state := fleet.StateOfNode(node, pod.Spec.Tolerations)
			states[i].NodeLeaving = state.Leaving && !r.revisions.isPinned(pod)
			states[i].Unreachable = states[i].Unreachable || state.Unreachable
		}
	}
	r.memory.forgetDown(states)
	r.memory.correctSkew(states, r.now)
	r.memory.noteGrants(states, r.now)
	r.pods, r.states = pods, states
	r.judgeEnds()
	return nil
}

// isMadeOf tells of which revisions there are pods, or will be: more is to be known of those than of the others.
func (r *round) isMadeOf(pods []*corev1.Pod) func(hash string) bool {
	made := map[string]bool{r.status.CurrentPodSpecHash: true}
	for _, pod := range pods {
		made[fleet.RevisionOf(pod)] = true
	}
	return func(hash string) bool { return made[hash] }
}

// findRevisions finds the newest and the published revision. Where the spec cannot be followed, or its revision cannot be
// stored, the published revision stays the newest: the fleet goes on with what it has.
func (r *round) findRevisions(ctx context.Context) {
	known := &r.revisions
	if r.deleting() { // no pod is made any more: what remains of the revision is enough
		known.published = known.of(r.status.CurrentPodSpecHash)
		known.newest = known.published
		r.standIn(r.resolver.Normalise)
		return
	}
	known.published = known.stored(r.status.CurrentPodSpecHash)
	known.newest = known.published
	if r.config == nil {
		r.stalled = report.NoScalerConfig(r.qw)
		return
	}
	content := revision.ContentOf(r.qw, r.resolver.Normalise(r.config))
	if err := content.Validate(); err != nil {
		r.stalled = &report.Problem{Reason: report.ReasonInvalidPodSpec, Message: err.Error()}
		return
	}
	newest, err := r.store(ctx, content)
	if err != nil {
		r.unstored = err
		return
	}
	if found := known.stored(newest.Hash); found != nil {
		found.Content = newest.Content // the cache may lack its pod spec
	} else {
		known.all = append(known.all, newest)
	}
	known.newest = known.stored(newest.Hash)
	known.published = known.stored(r.status.CurrentPodSpecHash)
}

// store stores the revision of a content. One that was refused is held back, until what it is made of changes.
func (r *round) store(ctx context.Context, content revision.Content) (newest revision.Revision, err error) {
	key := revisionWrite(r.qw.Generation, r.config.Generation)
	r.memory.writes.Forget(func(k write) bool { return k.isRevision() && k != key })
	err = r.memory.writes.Attempt(r.clock, key, func() (err error) {
		newest, err = r.history.Ensure(ctx, r.qw, r.revisions.all, content)
		return err
	})
	r.recheckAt(r.memory.writes.RetryAt(key))
	return newest, err
}

// standIn makes up for a history that is gone before the QWorker is, as after a foreground deletion: what is left to do
// needs to know the queue and the connection, and those are in the spec.
func (o *observation) standIn(normalise func(*v1alpha1.ScalerConfig) connection.Spec) {
	known := &o.revisions
	switch {
	case known.published != nil:
	case len(known.all) > 0:
		known.newest = &known.all[len(known.all)-1]
	case len(known.remains) > 0:
		known.newest = &known.remains[len(known.remains)-1]
	case o.config != nil:
		known.newest = &revision.Revision{Hash: o.status.CurrentPodSpecHash, Content: revision.ContentOf(o.qw, normalise(o.config))}
	}
}
