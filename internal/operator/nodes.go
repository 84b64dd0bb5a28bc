package operator

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mayWatchNodes asks whether the operator may read nodes. It may where its role is bound in the whole cluster, and
// not where it is bound in a few namespaces. A refused watch would keep the cache from ever being filled. Every
// authenticated user may ask this about himself. An answer that the API server is not sure of is an error: a no
// would hold until the process ends.
func mayWatchNodes(ctx context.Context, config *rest.Config) (bool, error) {
	c, err := client.New(config, client.Options{Scheme: NewScheme()}) // not the manager's, which writes as the leader alone
	if err != nil {
		return false, fmt.Errorf("asking whether the operator may read nodes, %w", err)
	}
	for _, verb := range []string{"list", "watch"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "nodes"},
		}}
		if err := c.Create(ctx, review); err != nil {
			return false, fmt.Errorf("asking whether the operator may %s nodes, %w", verb, err)
		}
		if review.Status.Allowed {
			continue
		}
		if doubt := review.Status.EvaluationError; doubt != "" { // no answer: an authorizer could not be asked
			return false, fmt.Errorf("asking whether the operator may %s nodes, the API server is not sure: %s", verb, doubt)
		}
		return false, nil
	}
	return true, nil
}
