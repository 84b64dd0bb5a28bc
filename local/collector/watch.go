package collector

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// watches follow the metadata of every kind that can be deleted.
type watches struct {
	discovery discovery.DiscoveryInterface
	client    metadata.Interface
	changed   func()

	mu      sync.Mutex
	running map[schema.GroupVersionResource]*watch
	ended   sync.WaitGroup
}

// watch is that of one kind.
type watch struct {
	informer   cache.SharedIndexInformer
	namespaced bool
	kind       string
	stop       context.CancelFunc
}

// follow starts watches for kinds that are new, and ends those of kinds that are not served any more.
func (w *watches) follow(ctx context.Context) error {
	served, err := w.served()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for resource, running := range w.running {
		if _, still := served[resource]; !still {
			running.stop()
			delete(w.running, resource)
		}
	}
	for resource, api := range served {
		if w.running[resource] != nil {
			continue
		}
		started, err := w.start(ctx, resource, api)
		if err != nil {
			return err
		}
		w.running[resource] = started
	}
	return nil
}

// served are the kinds that can be deleted and watched. Events are not among them: they come and go by themselves, and
// nothing depends on them.
func (w *watches) served() (map[schema.GroupVersionResource]metav1.APIResource, error) {
	lists, err := w.discovery.ServerPreferredResources()
	if err != nil {
		return nil, fmt.Errorf("asking which kinds there are, %w", err)
	}
	served := map[schema.GroupVersionResource]metav1.APIResource{}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "watch", "delete", "patch"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, api := range list.APIResources {
			if api.Name != events.Resource {
				served[version.WithResource(api.Name)] = api
			}
		}
	}
	return served, nil
}

func (w *watches) start(ctx context.Context, resource schema.GroupVersionResource, api metav1.APIResource) (*watch, error) {
	informer := metadatainformer.NewFilteredMetadataInformer(w.client, resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	if err := informer.SetTransform(onlyWhatDecides); err != nil {
		return nil, err
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.changed() },
		UpdateFunc: func(any, any) { w.changed() },
		DeleteFunc: func(any) { w.changed() },
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	w.ended.Go(func() { informer.Run(ctx.Done()) })
	return &watch{informer: informer, namespaced: api.Namespaced, kind: api.Kind, stop: stop}, nil
}

// onlyWhatDecides drops what no decision looks at.
func onlyWhatDecides(obj any) (any, error) {
	if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
		m.ManagedFields, m.Annotations, m.Labels = nil, nil, nil
	}
	return obj, nil
}

// await returns when every kind has been listed, or after the limit: a kind that cannot be listed is not waited for.
func (w *watches) await(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w.mu.Lock()
	synced := make([]cache.InformerSynced, 0, len(w.running))
	for _, running := range w.running {
		synced = append(synced, running.informer.HasSynced)
	}
	w.mu.Unlock()
	cache.WaitForCacheSync(ctx.Done(), synced...)
}

// objects are all objects as last seen.
func (w *watches) objects() []object {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []object
	for resource, running := range w.running {
		for _, obj := range running.informer.GetStore().List() {
			if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
				all = append(all, objectOf(resource, m))
			}
		}
	}
	return all
}

// resourceOf is the resource of an owner's kind, in any version; false where no such kind is watched.
func (w *watches) resourceOf(apiVersion, kind string) (resource schema.GroupVersionResource, namespaced, ok bool) {
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return resource, false, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for resource, running := range w.running {
		if resource.Group == version.Group && running.kind == kind {
			return resource, running.namespaced, true
		}
	}
	return resource, false, false
}

// namespaced are the kinds of which there may be objects in a namespace.
func (w *watches) namespaced() []schema.GroupVersionResource {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []schema.GroupVersionResource
	for resource, running := range w.running {
		if running.namespaced {
			found = append(found, resource)
		}
	}
	return found
}
