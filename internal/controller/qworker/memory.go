package qworker

import (
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/internal/setback"
)

// memory is what is remembered of a QWorker between two reconciliations. All of it may be lost with the
// process: the window is seeded from the status, an excess is then spared its 30 s anew, and pods that
// vanished meanwhile are found by their processing lists.
type memory struct {
	uid types.UID

	window      planner.Window
	seeded      bool
	excessSince time.Time
	// needs is the same window without the messages that workers on their way out hold, from when they were let
	// go; held is how many those were at the last sizing, -1 before the first.
	needs planner.Window
	held  int64

	// status is the last one written, for as long as the cache shows an older one.
	status          *v1alpha1.QWorkerStatus
	resourceVersion string
	queueWritten    time.Time
	// untold is what was done in the last round, where its status was postponed.
	untold []planner.Action
	// proven is the hash of the revision that was last marked as proven: the cache may be behind.
	proven string

	// stored is the revision that was last stored, for as long as the cache does not show it.
	stored *storedRevision

	// grants has since when this process knows of each grant, by pod.
	grants map[string]knownGrant
	// ahead has the times that pods claim of themselves and that had yet to come when they were seen, and when that was.
	ahead map[claim]time.Time
	// seen has the pods of the last observation, by name, with the revision they were made of.
	seen map[string]string
	// settled has the pods that have ended and whose tasks were given back.
	settled map[string]bool
	// lost has the pods that are gone, until nothing can turn up in their processing lists any more.
	lost map[string]lostPod
	// retries has the pods whose tasks could not be given back, and when that is tried again.
	retries map[string]retry
	// departed has the pods that were seen to have left on a grant, and departure is when the last of them was.
	departed  map[string]bool
	departure time.Time
	// refusals has why the last pod of a revision could not be created, and when the next is tried. It holds back its
	// revision alone, whatever else wakes the QWorker: what refuses one pod refuses the next, and the queue of a fleet
	// that cannot grow is a busy one.
	refusals map[string]setback.Setback
	// setbacks has the writes of the QWorker itself that have failed, and when they are tried again.
	setbacks *setback.Setbacks[write]
	// busyHolders has the pods with a grant that were at a task, and when they were last seen at it.
	busyHolders map[string]time.Time
	// declined is true where the ScalerConfig, as it was last seen, says that tasks are not ours to give back.
	declined bool
	// searched has the places in which the processing lists of pods that this process never saw were looked for.
	searched map[place]bool
	// searchFrom is when tasks were last not ours to give back: what was found before is not all. Zero for never.
	searchFrom time.Time
	// watches has the keys under which the backlog watches queues for this QWorker.
	watches map[string]bool
	// sizes is what right-sizing knows, nil where it is not asked for.
	sizes *sizeMemory
}

// storedRevision is a revision of which the API server has said that it is stored.
type storedRevision struct {
	revision.Revision
	// until is when the cache must show it; else somebody has deleted it.
	until time.Time
}

// cachePatience is how long the cache may be behind.
const cachePatience = 5 * time.Second

// withStored adds the revision that was last stored to those that the cache shows.
func (m *memory) withStored(revisions []revision.Revision, now time.Time) []revision.Revision {
	if m.stored == nil {
		return revisions
	}
	shown := slices.ContainsFunc(revisions, func(r revision.Revision) bool { return r.Hash == m.stored.Hash })
	if shown || now.After(m.stored.until) {
		m.stored = nil
		return revisions
	}
	return append(revisions, m.stored.Revision)
}

// knownGrant is a grant that this process has seen.
type knownGrant struct {
	given time.Time // as the grant says
	seen  time.Time
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

// lostPod is a pod that is gone.
type lostPod struct {
	revision string
	// since is when that was noticed.
	since time.Time
	// settled is when its tasks were given back; zero while they have yet to be.
	settled time.Time
}

// retry is a growing pause between tries.
type retry struct {
	delay time.Duration
	at    time.Time
	// err is why it is necessary; nil where it is only that the pod is still there. refused is how often in a row
	// there was an error.
	err     error
	refused int
}

// outstanding counts the lost pods whose tasks have yet to be given back.
func (m *memory) outstanding() int {
	n := 0
	for _, p := range m.lost {
		if p.settled.IsZero() {
			n++
		}
	}
	return n
}

func newMemory(uid types.UID) *memory {
	return &memory{
		uid:     uid,
		held:    -1,
		seen:    map[string]string{},
		settled: map[string]bool{},
		lost:    map[string]lostPod{},
		retries: map[string]retry{},
		watches: map[string]bool{},
		grants:  map[string]knownGrant{},

		searched: map[place]bool{},

		refusals: map[string]setback.Setback{},
		setbacks: setback.New[write](apierrors.IsConflict),
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

// forget removes and returns the memory of a QWorker, nil where there is none.
func (ms *memories) forget(name types.NamespacedName) *memory {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	m := ms.m[name]
	delete(ms.m, name)
	return m
}
