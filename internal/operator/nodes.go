package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/logs"
)

// doubtLimit is for how long an API server may be unsure. One that has just started is sure sooner. One of whose authorizers
// is broken for good may never be, and would keep the operator from every other work.
const doubtLimit = time.Minute

// unsure is an answer that the API server is not sure of.
type unsure struct{ error }

// nodeQuestion is whether the operator may read nodes, as it is asked again and again.
type nodeQuestion struct {
	ask   func(context.Context) (may bool, err error)
	clock clock.Clock
	log   logr.Logger
	// since is when the answers began to be unsure, zero where the last one was not.
	since time.Time
}

// untilAnswered asks until there is an answer.
func (q *nodeQuestion) untilAnswered(ctx context.Context, s *standing) (may bool, err error) {
	err = s.until(ctx, q.clock, "the API server to say whether the operator may read nodes", func() (err error) {
		may, err = q.answer(ctx)
		return err
	})
	return may, err
}

// answer asks once. Answers that have been unsure for long enough are a no.
func (q *nodeQuestion) answer(ctx context.Context) (may bool, err error) {
	may, err = q.ask(ctx)
	switch now := q.clock.Now(); {
	case !errors.As(err, new(unsure)):
		q.since = time.Time{}
	case q.since.IsZero():
		q.since = now
	case now.Sub(q.since) >= doubtLimit:
		logs.Warn(q.log, "The API server does not become sure whether the operator may read nodes; that counts as a no until the operator starts again", "err", err.Error())
		return false, nil
	}
	return may, err
}

// mayWatchNodes asks whether the operator may read nodes. It may where its role is bound in the whole cluster, and
// not where it is bound in a few namespaces. A refused watch would keep the cache from ever being filled. Every
// authenticated user may ask this about himself. An answer that the API server is not sure of is an error,
// unsure: a no would hold until the process ends.
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
			return false, unsure{fmt.Errorf("asking whether the operator may %s nodes, the API server is not sure: %s", verb, doubt)}
		}
		return false, nil
	}
	return true, nil
}
