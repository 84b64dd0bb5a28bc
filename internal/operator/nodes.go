package operator

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	ctrl "sigs.k8s.io/controller-runtime"
)

// mayWatchNodes asks whether the operator may read nodes. It may in a whole cluster, and not where its role is bound
// in a few namespaces; a watch that is refused would keep the cache from ever being filled. Everyone who is
// authenticated may ask this of themselves.
func mayWatchNodes(ctx context.Context, mgr ctrl.Manager) (bool, error) {
	for _, verb := range []string{"list", "watch"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "nodes"},
		}}
		if err := mgr.GetClient().Create(ctx, review); err != nil {
			return false, fmt.Errorf("asking whether the operator may %s nodes, %w", verb, err)
		}
		if !review.Status.Allowed {
			return false, nil
		}
	}
	return true, nil
}
