package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/revision"
)

// view is the operator's cache: what it has been told of so far.
type view struct {
	server  *apiServer
	objects map[kind]map[string]client.Object
}

// newView begins with a list of everything, as informers do.
func newView(server *apiServer) *view {
	v := &view{server: server, objects: map[kind]map[string]client.Object{}}
	for _, k := range kinds {
		v.objects[k] = map[string]client.Object{}
		for _, object := range server.list(k) {
			v.show(k, change{name: object.GetName(), object: object})
		}
	}
	server.forgetLog()
	return v
}

// catchUp tells the cache of a share of what it has not heard of yet, and reports whether the QWorker is to be
// reconciled for it.
func (v *view) catchUp(k kind, share float64) (wakes bool) {
	for _, c := range v.server.takeLog(k, share) {
		wakes = wakes || matters(k, v.objects[k][c.name], c.object)
		v.show(k, c)
	}
	return wakes
}

func (v *view) show(k kind, c change) {
	switch object := c.object.(type) {
	case nil:
		delete(v.objects[k], c.name)
	case *corev1.Pod:
		stripped, _ := fleet.Strip(object.DeepCopy()) // a pod cannot fail
		v.objects[k][c.name] = stripped.(client.Object)
	default:
		v.objects[k][c.name] = object
	}
}

// matters is what the controller's predicates say of a change.
func matters(k kind, before, after client.Object) bool {
	switch {
	case k == revisions:
		return false
	case k == pods || before == nil || after == nil:
		return true
	case k == nodes:
		return fleet.StateOfNode(before.(*corev1.Node), nil) != fleet.StateOfNode(after.(*corev1.Node), nil)
	default:
		return before.GetGeneration() != after.GetGeneration()
	}
}

// reader is a client.Reader of objects that nobody changes.
type reader struct {
	get  func(kind, string) client.Object
	list func(kind) []client.Object
}

func (v *view) get(k kind, name string) client.Object { return v.objects[k][name] }

func (v *view) reader() reader {
	return reader{
		get:  v.get,
		list: func(k kind) []client.Object { return byName(v.objects[k]) },
	}
}

func (r reader) Get(_ context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	object := r.get(kindOf(into), key.Name)
	if object == nil {
		return apierrors.NewNotFound(kindOf(into).resource(), key.Name)
	}
	if partial, ok := into.(*metav1.PartialObjectMetadata); ok {
		partial.ObjectMeta = *metaOf(object)
		return nil
	}
	var o client.GetOptions
	o.ApplyOptions(opts)
	if o.UnsafeDisableDeepCopy == nil || !*o.UnsafeDisableDeepCopy {
		object = object.DeepCopyObject().(client.Object)
	}
	fill(into, object)
	return nil
}

func fill(into, object client.Object) {
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(object).Elem())
}

func metaOf(object client.Object) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
		Labels: object.GetLabels(), OwnerReferences: object.GetOwnerReferences(),
	}
}

// List shares the items, as the real cache does with the option that the operator uses.
func (r reader) List(_ context.Context, into client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	objects := r.list(kindOf(into))
	switch into := into.(type) {
	case *corev1.PodList:
		for _, object := range objects {
			if selects(o, fleet.OwnerIndex, fleet.IndexByOwner(object)) {
				into.Items = append(into.Items, *object.(*corev1.Pod))
			}
		}
	case *appsv1.ControllerRevisionList:
		for _, object := range objects {
			if selects(o, revision.OwnerIndex, revision.IndexByOwner(object)) {
				into.Items = append(into.Items, *object.(*appsv1.ControllerRevision))
			}
		}
	case *metav1.PartialObjectMetadataList:
		for _, object := range objects {
			into.Items = append(into.Items, metav1.PartialObjectMetadata{ObjectMeta: *metaOf(object)})
		}
	default:
		return fmt.Errorf("a list of %T is not simulated", into)
	}
	return nil
}

// selects reports whether a list's field selector asks for an object with these values of an index.
func selects(o client.ListOptions, index string, values []string) bool {
	want, ok := o.FieldSelector.RequiresExactMatch(index)
	for _, value := range values {
		if ok && value == want {
			return true
		}
	}
	return false
}

// operatorClient is what the operator holds: it reads from the cache, and its writes may fail.
type operatorClient struct {
	client.Client // nil: what is not simulated panics
	reader
	faults *faults
	server *apiServer
	watch  *invariants
	turns  turns
}

// write carries a write out when it is its turn, or not.
func (c *operatorClient) write(verb string, object client.Object, do func(kind, string) error) error {
	k, name := kindOf(object), object.GetName()
	return c.turns.take(fmt.Sprintf("%s %s %s", verb, k, name), func() error {
		err := c.faults.write(verb, k, name, func() error { return do(k, name) })
		if err != nil {
			c.watch.failed(verb, object)
		}
		return err
	})
}

func (c *operatorClient) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	return c.reader.Get(ctx, key, into, opts...)
}

func (c *operatorClient) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	return c.reader.List(ctx, into, opts...)
}

func (c *operatorClient) Create(_ context.Context, object client.Object, opts ...client.CreateOption) error {
	var o client.CreateOptions
	if o.ApplyOptions(opts); len(o.DryRun) > 0 {
		return nil // there is nothing that this API server refuses for good
	}
	return c.write("create", object, func(kind, string) error {
		stored, err := c.server.create(object)
		if err != nil {
			return err
		}
		c.watch.created(stored)
		fill(object, stored.DeepCopyObject().(client.Object))
		return nil
	})
}

func (c *operatorClient) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	return c.patch("patch", object, patch, false)
}

func (c *operatorClient) patch(verb string, object client.Object, patch client.Patch, status bool) error {
	data, err := patch.Data(object)
	if err != nil {
		return err
	}
	return c.write(verb, object, func(k kind, name string) error {
		before := c.server.get(k, name)
		stored, err := c.server.patch(k, name, data, status)
		if err != nil {
			return err
		}
		c.watch.patched(before, stored)
		fill(object, stored.DeepCopyObject().(client.Object))
		return nil
	})
}

func (c *operatorClient) Delete(_ context.Context, object client.Object, opts ...client.DeleteOption) error {
	var o client.DeleteOptions
	o.ApplyOptions(opts)
	return c.write("delete", object, func(k kind, name string) error {
		before := c.server.get(k, name)
		if err := c.server.delete(k, name, o); err != nil {
			return err
		}
		c.watch.deleted(before)
		return nil
	})
}

func (c *operatorClient) Status() client.SubResourceWriter { return statusWriter{operatorClient: c} }

type statusWriter struct {
	client.SubResourceWriter // nil: what is not simulated panics
	*operatorClient
}

func (w statusWriter) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	return w.patch("status", object, patch, true)
}

func (w statusWriter) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	panic("not simulated")
}

// pretty is an object for a person who looks into a failure.
func pretty(object any) string {
	data, err := json.Marshal(object)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
