package fleet

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// overlay remembers the pods as the API server last returned them to this process, until the cache shows
// the same or newer. It holds pods, not counts: a count goes wrong for good when one event is lost.
type overlay struct {
	mu     sync.Mutex
	owners map[types.UID]map[string]*written
}

// written is one pod as this process last wrote it.
type written struct {
	pod *corev1.Pod
	// created is true while the cache has never shown the pod.
	created bool
	// deleted is true once the API server has accepted the pod's deletion.
	deleted bool
	// uncertain is true when the write had no answer, so that only the API server knows what came of it.
	uncertain bool
	at        time.Time
}

func newOverlay() *overlay { return &overlay{owners: map[types.UID]map[string]*written{}} }

func (o *overlay) record(owner types.UID, w written) {
	o.mu.Lock()
	defer o.mu.Unlock()
	pods := o.owners[owner]
	if pods == nil {
		pods = map[string]*written{}
		o.owners[owner] = pods
	}
	if earlier := pods[w.pod.Name]; earlier != nil {
		w.created = w.created || earlier.created
		w.deleted = w.deleted || earlier.deleted
	}
	pods[w.pod.Name] = &w
}

func (o *overlay) drop(owner types.UID, pod string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.owners[owner], pod)
	if len(o.owners[owner]) == 0 {
		delete(o.owners, owner)
	}
}

func (o *overlay) forget(owner types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.owners, owner)
}

// doubtful returns, by name, the entries whose truth must be asked of the API server: those without an answer, and
// created pods that the cache has not shown for as long as verifyAfter. A pod that came and went between two
// watches is never shown; without the question it would be counted for ever.
func (o *overlay) doubtful(owner types.UID, now time.Time) []written {
	o.mu.Lock()
	defer o.mu.Unlock()
	var doubtful []written
	for _, w := range o.owners[owner] {
		if w.uncertain || (w.created && now.Sub(w.at) >= verifyAfter) {
			doubtful = append(doubtful, *w)
		}
	}
	slices.SortFunc(doubtful, func(a, b written) int { return strings.Compare(a.pod.Name, b.pod.Name) })
	return doubtful
}

// nextDoubt is when the API server must be asked about a pod that the cache has not shown, zero for never.
func (o *overlay) nextDoubt(owner types.UID) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	var next time.Time
	for _, w := range o.owners[owner] {
		if at := w.at.Add(verifyAfter); w.created && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// merge lays what was written over what the cache shows, and forgets what the cache has caught up with.
func (o *overlay) merge(owner types.UID, cached []*corev1.Pod) []*corev1.Pod {
	o.mu.Lock()
	defer o.mu.Unlock()
	pods := o.owners[owner]
	if len(pods) == 0 {
		return cached
	}
	merged := make([]*corev1.Pod, 0, len(cached)+len(pods))
	shown := make(map[string]bool, len(cached))
	for _, pod := range cached {
		shown[pod.Name] = true
		w := pods[pod.Name]
		if w == nil {
			merged = append(merged, pod)
			continue
		}
		w.created = false
		if w.caughtUp(pod) {
			delete(pods, pod.Name)
			merged = append(merged, pod)
			continue
		}
		merged = append(merged, w.over(pod))
	}
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		switch w := pods[name]; {
		case shown[name]:
		case w.created && !w.deleted:
			merged = append(merged, w.pod)
		default:
			delete(pods, name) // the cache had it, and it is gone
		}
	}
	if len(pods) == 0 {
		delete(o.owners, owner)
	}
	return merged
}

// caughtUp reports whether the cache shows the pod as written, or newer.
func (w *written) caughtUp(cached *corev1.Pod) bool {
	if cached.UID != w.pod.UID {
		return true
	}
	if w.deleted {
		return cached.DeletionTimestamp != nil
	}
	order, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, w.pod.ResourceVersion)
	return err == nil && order >= 0
}

// over is the pod with what was written.
func (w *written) over(cached *corev1.Pod) *corev1.Pod {
	pod := w.pod
	if w.deleted {
		pod = cached.DeepCopy()
		pod.DeletionTimestamp = w.pod.DeletionTimestamp
	}
	return pod
}
