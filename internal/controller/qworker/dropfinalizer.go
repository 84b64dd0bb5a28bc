package qworker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// hasNoRights asks the API server whether the operator may take workers away in a namespace. Every account may ask that of
// itself. An answer with an error is none: the API server may have yet to read its roles.
func hasNoRights(ctx context.Context, c client.Client, namespace string) bool {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "delete", Resource: "pods"},
	}}
	return c.Create(ctx, review) == nil && !review.Status.Allowed && review.Status.EvaluationError == ""
}

// namespaceEnds asks the API server whether a namespace is being deleted.
func namespaceEnds(ctx context.Context, live client.Reader, name string) (bool, error) {
	namespace := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	if err := live.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return false, fmt.Errorf("reading whether the namespace %s is being deleted; bind the ClusterRole qscaler-let-go, %w", name, err)
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}

// dropFinalizer removes the finalizer from a QWorker that may have changed since it was last seen: where the operator may not
// read any more, it cannot see it anew.
func dropFinalizer(ctx context.Context, c client.Client, qw client.Object) error {
	at := slices.Index(qw.GetFinalizers(), v1alpha1.Finalizer)
	if at < 0 {
		return nil
	}
	path := fmt.Sprintf("/metadata/finalizers/%d", at)
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": qw.GetUID()},
		{"op": "test", "path": path, "value": v1alpha1.Finalizer},
		{"op": "remove", "path": path},
	})
	if err != nil {
		return fmt.Errorf("encoding the patch that removes the finalizer, %w", err)
	}
	gone := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: qw.GetNamespace(), Name: qw.GetName()}}
	if err := c.Patch(ctx, gone, client.RawPatch(types.JSONPatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the finalizer in a namespace without rights; bind the ClusterRole qscaler-let-go, or remove it by hand, %w", err)
	}
	return nil
}
