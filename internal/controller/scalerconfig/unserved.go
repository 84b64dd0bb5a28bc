package scalerconfig

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/controller/words"
)

// unknownHoldersOf says what workers hold of queues that no QWorker serves: no QWorker's status shows that. Its status is
// empty where there is none, and it is nil while nobody has looked, as for moments after a start. It has no name of a
// queue: the search of one user may have found what another is not to see.
func unknownHoldersOf(config *v1alpha1.ScalerConfig, unserved backlog.Unserved) *metav1.Condition {
	c := &metav1.Condition{Type: v1alpha1.ConditionUnknownHolders}
	switch {
	case !ptr.Deref(config.Spec.Config.Reclaim, true) || (unserved.Known && unserved.Lists == 0):
		return c
	case !unserved.Known:
		return nil
	}
	c.Status, c.Reason = metav1.ConditionTrue, reasonNotServed
	c.Message = fmt.Sprintf("at the last search, unknown holders had tasks %s of %s that no QWorker of this operator serves. QScaler does not touch the tasks: the workers may be alive. To find them and to return their tasks by hand, see UnknownHolders in docs/troubleshooting.md",
		heldIn(config, unserved.Lists), words.HowMany(unserved.Queues, "queue", "queues"))
	return c
}

// heldIn says in how many places of the ScalerConfig's layout tasks are held.
func heldIn(config *v1alpha1.ScalerConfig, n int) string {
	own := config.Spec.Config.Redis
	switch {
	case own != nil && own.Layout == v1alpha1.RedisStream:
		return "as " + words.HowMany(n, "consumer", "consumers")
	case own != nil && own.Layout == v1alpha1.RedisSortedSet:
		return "in " + words.HowMany(n, "sorted set", "sorted sets")
	}
	return "in " + words.HowMany(n, "list", "lists")
}

// reportUnserved writes an event when such tasks turn up.
func (r *Reconciler) reportUnserved(ctx context.Context, before, after *v1alpha1.ScalerConfig) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionUnknownHolders)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionUnknownHolders)
	if is != nil && was == nil {
		r.tell(ctx, after, corev1.EventTypeWarning, is.Reason, "Search", is.Message)
	}
}
