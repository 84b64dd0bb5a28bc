package qworker

import (
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	rightsizing "github.com/quickube/qscaler/internal/controller/qworker/sizing"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/internal/scaling"
)

// memory is what is remembered of a QWorker between two reconciliations. All of it may be gone with the
// process: scaling then begins with the number that the status has, an excess is spared its 30 s anew, and pods that
// vanished meanwhile are found by the tasks that they hold.
type memory struct {
	uid types.UID
	// met is true once the QWorker was looked at.
	met bool
	// wasRead is true where one of its queues was read, or may have been: by an earlier process, which may have died before
	// the status said so. The finalizer, which is there before the first pod, shows that there may have been one.
	wasRead bool

	// scaling has what the next decision must know of the last one, for each queue that asks for workers. A queue that is
	// published is then not taken for a new one.
	scaling     map[place]scaling.Memory
	excessSince time.Time

	// told is what the report must know again.
	told      report.Memory
	postponed postponed
	// grants has since when this process knows of each grant, by pod.
	grants map[string]knownGrant
	// downs has the pods whose worker's process has ended and was not seen to be started again.
	downs map[string]down
	// skewed has the times that pods claim of themselves and that had yet to come when they were seen, and when that was.
	skewed map[podTime]time.Time
	// creations has the revisions of which no pod could be created.
	creations creations
	// sightings has the revisions of which a worker was seen at a task.
	sightings sightings
	// ends is what is known of the tasks of workers that end by themselves.
	ends  ends
	trial trial
	// writes has those of the QWorker itself that have failed, and when they are tried again.
	writes *backoff.Attempts[write]
	// declined is true where the ScalerConfig, as it was last seen, says that tasks are not ours to reclaim.
	declined bool
	// fails has since when what a deleted QWorker waits for fails.
	fails failures
	// forbiddenSince is since when the operator has no rights in the namespace, zero while it has.
	forbiddenSince time.Time
	// writers has the other operators that write the status.
	writers writers
	// watches has the keys under which the backlog watches queues for this QWorker.
	watches map[backlog.Key]bool
	// freshness has the readings that were requested, without which nobody is let go.
	freshness freshness
	// revisions has what must be known of each revision when it is not stored any more.
	revisions map[string]revision.Revision
	// sizes is what right-sizing knows.
	sizes rightsizing.Memory
}

// knownGrant is a grant that this process has seen.
type knownGrant struct {
	given time.Time // as the grant says
	seen  time.Time
}

// meet looks at the QWorker for the first time.
func (m *memory) meet(qw *v1alpha1.QWorker) {
	if !m.met {
		m.met, m.wasRead = true, controllerutil.ContainsFinalizer(qw, v1alpha1.Finalizer)
	}
}

// noteGrants remembers the grants that pods hold, and tells the pods since when they are known.
func (m *memory) noteGrants(pods []planner.Pod, now time.Time) {
	known := make(map[string]knownGrant, len(m.grants))
	for i := range pods {
		g := &pods[i].Grant
		if g.Reason == "" {
			continue
		}
		k, ok := m.grants[pods[i].Name]
		if !ok || !k.given.Equal(g.Since) {
			k = knownGrant{given: g.Since, seen: now}
		}
		known[pods[i].Name], g.Seen = k, k.seen
	}
	m.grants = known
}

func newMemory(uid types.UID) *memory {
	return &memory{
		uid:     uid,
		watches: map[backlog.Key]bool{},
		grants:  map[string]knownGrant{},
		downs:   map[string]down{},

		creations: creations{},
		ends:      newEnds(),
		writes: backoff.NewAttempts[write](func(err error) (backoff.Policy, bool) {
			return fleet.WriteBackoff(err), !apierrors.IsConflict(err)
		}),
	}
}

// memories keeps one memory for each QWorker. A QWorker is reconciled by one goroutine at a time, so that
// only the map needs a lock.
type memories struct {
	mu sync.Mutex
	m  map[types.NamespacedName]*memory
}

// of returns the memory of the QWorker, and the one of an earlier QWorker of the same name, which is
// forgotten with this call.
func (ms *memories) of(name types.NamespacedName, uid types.UID) (present, former *memory) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	present = ms.m[name]
	if present != nil && present.uid == uid {
		return present, nil
	}
	former, present = present, newMemory(uid)
	ms.m[name] = present
	return present, former
}

// names are those of the QWorkers of a namespace that are remembered, of all namespaces where it is "".
func (ms *memories) names(namespace string) []types.NamespacedName {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	var names []types.NamespacedName
	for name := range ms.m {
		if namespace == "" || name.Namespace == namespace {
			names = append(names, name)
		}
	}
	return names
}

// forget removes and returns the memory of a QWorker, nil where there is none.
func (ms *memories) forget(name types.NamespacedName) *memory {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.m[name]
	delete(ms.m, name)
	return m
}
