// Package ownwrites lets a process read what it has just written: the cache shows a write only once the watch has
// brought it, and whoever decides by an older object creates a pod twice, or takes back what it has published.
//
// An Overlay remembers objects as the API server last returned them to this process, until the cache shows the same or
// newer. It holds objects, not counts: a count goes wrong for good when one event does not arrive. All that this process writes
// and reads again goes through one: pods, revisions, and the statuses of both kinds.
//
// The package asks nobody. Whoever uses it lists the cache, and asks the API server about what is in doubt. It imports
// nothing of ours.
package ownwrites

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// VerifyAfter is how long the cache may lag behind a creation before the API server is to be asked about it.
const VerifyAfter = 5 * time.Second

// Overlay has the writes of objects of one kind, by their owner, whatever names that one, and their name. Its methods may be called from several goroutines.
type Overlay[K comparable, T client.Object] struct {
	mu     sync.Mutex
	owners map[K]map[string]*Write[T]
}

// Write is one object as this process last wrote it.
type Write[T client.Object] struct {
	Object T
	// Created is true while the cache has never shown the object.
	Created bool
	// Deleted is true once the API server has accepted the object's deletion.
	Deleted bool
	// Uncertain is true when the write had no answer, so that only the API server knows what came of it.
	Uncertain bool
	At        time.Time
}

// New returns an Overlay without writes.
func New[K comparable, T client.Object]() *Overlay[K, T] {
	return &Overlay[K, T]{owners: map[K]map[string]*Write[T]{}}
}

// Record remembers a write. What was created or deleted before stays so, as long as it is the same object.
func (o *Overlay[K, T]) Record(owner K, w Write[T]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	writes := o.owners[owner]
	if writes == nil {
		writes = map[string]*Write[T]{}
		o.owners[owner] = writes
	}
	if earlier := writes[w.Object.GetName()]; earlier != nil && earlier.isOf(w.Object) {
		w.Created = w.Created || earlier.Created
		w.Deleted = w.Deleted || earlier.Deleted
	}
	writes[w.Object.GetName()] = &w
}

// Drop forgets the write of an object that the API server does not have.
func (o *Overlay[K, T]) Drop(owner K, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.owners[owner], name)
	o.tidy(owner)
}

// Forget drops the writes of an owner that no longer exists.
func (o *Overlay[K, T]) Forget(owner K) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.owners, owner)
}

// Len is how many owners have writes that the cache does not show.
func (o *Overlay[K, T]) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.owners)
}

// Doubtful returns, by name, the writes whose truth must be asked of the API server: those without an answer, and
// created objects that the cache has not shown for as long as VerifyAfter. An object that came and went between two
// watches is never shown; without the question it would be counted for ever.
func (o *Overlay[K, T]) Doubtful(owner K, now time.Time) []Write[T] {
	o.mu.Lock()
	defer o.mu.Unlock()
	var doubtful []Write[T]
	for _, w := range o.owners[owner] {
		if w.Uncertain || (w.Created && now.Sub(w.At) >= VerifyAfter) {
			doubtful = append(doubtful, *w)
		}
	}
	slices.SortFunc(doubtful, func(a, b Write[T]) int { return strings.Compare(a.Object.GetName(), b.Object.GetName()) })
	return doubtful
}

// NextDoubt is when the API server must be asked about an object that the cache has not shown, zero for never.
func (o *Overlay[K, T]) NextDoubt(owner K) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	var next time.Time
	for _, w := range o.owners[owner] {
		if at := w.At.Add(VerifyAfter); w.Created && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// Merge lays what was written over the objects of an owner that the cache shows, and forgets what the cache has caught
// up with.
func (o *Overlay[K, T]) Merge(owner K, cached []T) []T {
	o.mu.Lock()
	defer o.mu.Unlock()
	writes := o.owners[owner]
	if len(writes) == 0 {
		return cached
	}
	merged := make([]T, 0, len(cached)+len(writes))
	shown := make(map[string]bool, len(cached))
	for _, object := range cached {
		name := object.GetName()
		shown[name] = true
		w := writes[name]
		if w == nil {
			merged = append(merged, object)
			continue
		}
		w.Created = false
		if w.caughtUp(object) {
			delete(writes, name)
			merged = append(merged, object)
			continue
		}
		merged = append(merged, w.over(object))
	}
	for _, name := range slices.Sorted(maps.Keys(writes)) {
		switch w := writes[name]; {
		case shown[name]:
		case w.Created && !w.Deleted:
			merged = append(merged, w.Object)
		default:
			delete(writes, name) // the cache had it, and it is gone
		}
	}
	o.tidy(owner)
	return merged
}

// Newest is the one object of an owner as it was last written, or as the cache shows it where that is as new. The
// caller may change it.
func (o *Overlay[K, T]) Newest(owner K, cached T) T {
	merged := o.Merge(owner, []T{cached})
	if newest := merged[0]; newest.GetResourceVersion() != cached.GetResourceVersion() {
		return copyOf(newest)
	}
	return cached
}

// isOf reports whether it is a write of that very object, and not of another that had the name before. One that was created
// without an answer has no UID yet.
func (w *Write[T]) isOf(object T) bool {
	return w.Object.GetUID() == object.GetUID() || w.Object.GetUID() == "" || object.GetUID() == ""
}

// tidy drops an owner without writes.
func (o *Overlay[K, T]) tidy(owner K) {
	if len(o.owners[owner]) == 0 {
		delete(o.owners, owner)
	}
}

// caughtUp reports whether the cache shows the object as written, or newer.
func (w *Write[T]) caughtUp(cached T) bool {
	if cached.GetUID() != w.Object.GetUID() {
		return true
	}
	if w.Deleted {
		return cached.GetDeletionTimestamp() != nil
	}
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), w.Object.GetResourceVersion())
	return err == nil && order >= 0
}

// over is the object with what was written.
func (w *Write[T]) over(cached T) T {
	if !w.Deleted {
		return w.Object
	}
	object := copyOf(cached)
	object.SetDeletionTimestamp(w.Object.GetDeletionTimestamp())
	return object
}

func copyOf[T client.Object](object T) T { return object.DeepCopyObject().(T) }
