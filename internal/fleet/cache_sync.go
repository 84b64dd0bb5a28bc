package fleet

import (
	"context"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// CacheSync makes sure that a process which has just become the leader sees what the leader before it wrote.
// Its cache has run all along and may lag behind by the last pods that were created: acting on it would
// create them twice. The overlay cannot help, it was the other process's.
//
// Each namespace is compared by itself: one that cannot be read holds up no other.
type CacheSync struct {
	cached, live client.Reader
	// all is true where the operator lists all namespaces together.
	all bool

	mu         sync.Mutex
	namespaces map[string]*namespaceSync
}

// namespaceSync is how far the cache is in one namespace.
type namespaceSync struct {
	mu      sync.Mutex
	listed  bool
	pending []listed // those that the cache has yet to show
}

// listed is an object as the API server had it.
type listed struct {
	kind    syncedKind
	name    types.NamespacedName
	version string
}

// syncedKind is one of the kinds that are compared.
type syncedKind struct {
	schema.GroupVersionKind
	object func() client.Object
}

// syncedKinds has the pods and their revisions. Each kind has a watch of its own, and one may be behind the other: where
// rights come late, pods would be there whose revisions seem to be gone.
func syncedKinds() []syncedKind {
	return []syncedKind{
		{corev1.SchemeGroupVersion.WithKind("Pod"), func() client.Object { return &corev1.Pod{} }},
		{appsv1.SchemeGroupVersion.WithKind("ControllerRevision"), func() client.Object { return &appsv1.ControllerRevision{} }},
	}
}

// NewCacheSync compares the cache with the API server in the given namespaces, or in all together when there are none.
func NewCacheSync(cached, live client.Reader, namespaces []string) *CacheSync {
	return &CacheSync{cached: cached, live: live, all: len(namespaces) == 0, namespaces: map[string]*namespaceSync{}}
}

// Done reports whether the cache shows everything of a namespace that the API server had at the first call.
func (t *CacheSync) Done(ctx context.Context, namespace string) (bool, error) {
	if t.all {
		namespace = metav1.NamespaceAll
	}
	s := t.of(namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.listed {
		var pending []listed
		for _, kind := range syncedKinds() {
			all, err := t.list(ctx, kind, namespace)
			if err != nil {
				return false, err
			}
			pending = append(pending, all...)
		}
		s.listed, s.pending = true, pending
	}
	for ; len(s.pending) > 0; s.pending = s.pending[1:] {
		if shown, err := t.shows(ctx, s.pending[0]); err != nil || !shown {
			return false, err
		}
	}
	return true, nil
}

func (t *CacheSync) of(namespace string) *namespaceSync {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.namespaces[namespace]
	if s == nil {
		s = &namespaceSync{}
		t.namespaces[namespace] = s
	}
	return s
}

const listPage = 1000

func (t *CacheSync) list(ctx context.Context, kind syncedKind, namespace string) ([]listed, error) {
	var all []listed
	options := []client.ListOption{client.InNamespace(namespace), client.HasLabels{Selector}, client.Limit(listPage)}
	for next := ""; ; {
		var page metav1.PartialObjectMetadataList
		page.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := t.live.List(ctx, &page, append(options, client.Continue(next))...); err != nil {
			return nil, fmt.Errorf("listing what the leader before wrote, each %s, %w", kind.Kind, err)
		}
		for i := range page.Items {
			all = append(all, listed{kind, client.ObjectKeyFromObject(&page.Items[i]), page.Items[i].ResourceVersion})
		}
		if next = page.Continue; next == "" {
			return all, nil
		}
	}
}

// shows reports whether the cache has the object at that version or newer, or never will: the object is gone, or no longer has
// the label that the cache selects by.
func (t *CacheSync) shows(ctx context.Context, l listed) (bool, error) {
	object := l.kind.object()
	err := t.cached.Get(ctx, l.name, object, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		meta := &metav1.PartialObjectMetadata{}
		meta.SetGroupVersionKind(l.kind.GroupVersionKind)
		if err = t.live.Get(ctx, l.name, meta); apierrors.IsNotFound(err) {
			return true, nil
		}
		_, selected := meta.Labels[Selector]
		return err == nil && !selected, err
	}
	if err != nil {
		return false, err
	}
	order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), l.version)
	return err == nil && order >= 0, err
}
