package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// callTimeout bounds one request.
const callTimeout = 15 * time.Second

// ask asks the API server whether an owner exists. A kind that nobody serves says nothing about its objects.
func (c *Collector) ask(ctx context.Context, r reference) (presence, error) {
	resource, namespaced, ok := c.watches.resourceOf(r.owner.APIVersion, r.owner.Kind)
	if !ok {
		return present, nil
	}
	namespace := ""
	if namespaced {
		namespace = r.namespace
		if namespace == "" {
			return present, nil // an object of no namespace cannot have this owner: as in a cluster, it stays
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.metadata.Resource(resource).Namespace(namespace).Get(ctx, r.owner.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return absent, nil
	case err != nil:
		return unasked, fmt.Errorf("asking for the owner %s %s, %w", r.owner.Kind, r.owner.Name, err)
	case found.UID != r.owner.UID:
		return absent, nil
	}
	return present, nil
}

// do carries an action out, unless the object has changed since it was decided: then the watch tells, and it is decided
// anew.
func (c *Collector) do(ctx context.Context, a action) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	client := c.metadata.Resource(a.object.resource).Namespace(a.object.namespace)
	var err error
	switch {
	case a.remove != "":
		err = client.Delete(ctx, a.object.name, metav1.DeleteOptions{
			PropagationPolicy: &a.remove,
			Preconditions:     &metav1.Preconditions{UID: &a.object.uid, ResourceVersion: &a.object.resourceVersion},
		})
	default:
		var patch []byte
		if patch, err = patchOf(a); err == nil {
			_, err = client.Patch(ctx, a.object.name, types.MergePatchType, patch, metav1.PatchOptions{})
		}
	}
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("collecting %s %s/%s, %w", a.object.resource.Resource, a.object.namespace, a.object.name, err)
}

// patchOf has the UID and the resource version, so that it fits the object as it was seen and no other.
func patchOf(a action) ([]byte, error) {
	meta := map[string]any{"uid": a.object.uid, "resourceVersion": a.object.resourceVersion}
	if a.finalizer != "" {
		meta["finalizers"] = slices.DeleteFunc(slices.Clone(a.object.finalizers), func(f string) bool { return f == a.finalizer })
	} else {
		meta["ownerReferences"] = slices.DeleteFunc(slices.Clone(a.object.owners), func(ref metav1.OwnerReference) bool {
			return slices.Contains(a.disown, ref.UID)
		})
	}
	return json.Marshal(map[string]any{"metadata": meta})
}

// finalize lets a namespace go in which nothing is left, and reports whether it did.
func (c *Collector) finalize(ctx context.Context, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.metadata.Resource(events).Namespace(name).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	if err != nil {
		return false, fmt.Errorf("deleting the events of namespace %s, %w", name, err)
	}
	for _, resource := range c.watches.namespaced() { // a watch may be behind
		list, err := c.metadata.Resource(resource).Namespace(name).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil && !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("asking whether namespace %s is empty, %w", name, err)
		}
		if err == nil && len(list.Items) > 0 {
			return false, nil
		}
	}
	namespace, err := c.namespaces.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	namespace.Spec.Finalizers = slices.DeleteFunc(namespace.Spec.Finalizers, func(f corev1.FinalizerName) bool {
		return f == corev1.FinalizerKubernetes
	})
	_, err = c.namespaces.Finalize(ctx, namespace, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return apierrors.IsNotFound(err), nil
	}
	return err == nil, err
}
