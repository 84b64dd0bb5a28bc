package fleet

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Takeover makes sure that a process which has just become the leader sees what the leader before it wrote.
// Its cache has run all along and may lag behind by the last pods that were created: acting on it would
// create them twice. The overlay cannot help, it was the other process's.
type Takeover struct {
	cached, live client.Reader
	namespaces   []string

	mu      sync.Mutex
	listed  bool
	pending []listedPod // those that the cache has yet to show
}

// listedPod is a pod as the API server had it.
type listedPod struct {
	name    types.NamespacedName
	version string
}

// NewTakeover compares the cache with the API server in the given namespaces, or in all when there are none.
func NewTakeover(cached, live client.Reader, namespaces []string) *Takeover {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	return &Takeover{cached: cached, live: live, namespaces: namespaces}
}

// Done reports whether the cache shows everything that the API server had at the first call.
func (t *Takeover) Done(ctx context.Context) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.listed {
		if err := t.list(ctx); err != nil {
			return false, err
		}
	}
	for ; len(t.pending) > 0; t.pending = t.pending[1:] {
		if shown, err := t.shows(ctx, t.pending[0]); err != nil || !shown {
			return false, err
		}
	}
	return true, nil
}

const listPage = 1000

func (t *Takeover) list(ctx context.Context) error {
	t.pending = nil
	for _, namespace := range t.namespaces {
		options := []client.ListOption{client.InNamespace(namespace), client.HasLabels{Selector}, client.Limit(listPage)}
		for next := ""; ; {
			var page metav1.PartialObjectMetadataList
			page.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
			if err := t.live.List(ctx, &page, append(options, client.Continue(next))...); err != nil {
				return fmt.Errorf("listing the pods of the leader before, %w", err)
			}
			for i := range page.Items {
				t.pending = append(t.pending, listedPod{client.ObjectKeyFromObject(&page.Items[i]), page.Items[i].ResourceVersion})
			}
			if next = page.Continue; next == "" {
				break
			}
		}
	}
	t.listed = true
	return nil
}

// shows reports whether the cache has the pod at that version or newer, or the pod is gone.
func (t *Takeover) shows(ctx context.Context, listed listedPod) (bool, error) {
	var pod corev1.Pod
	err := t.cached.Get(ctx, listed.name, &pod, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		meta := &metav1.PartialObjectMetadata{}
		meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		if err = t.live.Get(ctx, listed.name, meta); apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	}
	if err != nil {
		return false, err
	}
	order, err := resourceversion.CompareResourceVersion(pod.ResourceVersion, listed.version)
	return err == nil && order >= 0, err
}
