package collector

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// object is what decides about an object's end.
type object struct {
	resource        schema.GroupVersionResource
	namespace, name string
	uid             types.UID
	resourceVersion string
	owners          []metav1.OwnerReference
	finalizers      []string
	deleting        bool
}

func objectOf(resource schema.GroupVersionResource, m *metav1.PartialObjectMetadata) object {
	return object{
		resource: resource, namespace: m.Namespace, name: m.Name, uid: m.UID, resourceVersion: m.ResourceVersion,
		owners: m.OwnerReferences, finalizers: m.Finalizers, deleting: m.DeletionTimestamp != nil,
	}
}

// waitsForDependents is true for an object that goes once its dependents are gone.
func (o *object) waitsForDependents() bool {
	return o.deleting && slices.Contains(o.finalizers, metav1.FinalizerDeleteDependents)
}

// leavesOrphans is true for an object that goes once its dependents do not name it any more.
func (o *object) leavesOrphans() bool {
	return o.deleting && slices.Contains(o.finalizers, metav1.FinalizerOrphanDependents)
}

// policy is how the object is deleted: its finalizers may say what is to become of its dependents.
func (o *object) policy() metav1.DeletionPropagation {
	switch {
	case slices.Contains(o.finalizers, metav1.FinalizerOrphanDependents):
		return metav1.DeletePropagationOrphan
	case slices.Contains(o.finalizers, metav1.FinalizerDeleteDependents):
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}

// mayOwn reports whether an owner reference of a dependent can mean the object: one of another namespace cannot.
func (o *object) mayOwn(dependent *object) bool {
	return o.namespace == "" || o.namespace == dependent.namespace
}
