package connection

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
)

// HadRival reports whether the status of a ScalerConfig says that another operator returns the tasks of dead workers.
// Whoever has just started knows it from there.
func HadRival(sc *v1alpha1.ScalerConfig) bool {
	c := meta.FindStatusCondition(sc.Status.Conditions, v1alpha1.ConditionReclaims)
	return c != nil && c.Reason == string(broker.ReasonOtherOperator)
}

// HadRival is HadRival of a connection's ScalerConfig, from the cache. It is true where that cannot be read.
func (r *Resolver) HadRival(namespace string, s Spec) bool {
	var sc v1alpha1.ScalerConfig
	err := r.cached.Get(context.Background(), types.NamespacedName{Namespace: namespace, Name: s.Name}, &sc)
	return !apierrors.IsNotFound(err) && (err != nil || HadRival(&sc))
}
