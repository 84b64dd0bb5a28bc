package report

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// brokerReachable is True while the queue can be read, that of the newest revision included.
func brokerReachable(o Observed, r Rollout, written []metav1.Condition) metav1.Condition {
	const kind = v1alpha1.ConditionBrokerReachable
	before := reachedBefore(written)
	switch {
	case o.Stalled != nil && o.Stalled.Reason == ReasonScalerConfigNotFound:
		return isNot(kind, *o.Stalled)
	case o.Queue.Problem != nil:
		return isNot(kind, *o.Queue.Problem)
	case r.Unread != nil:
		return Is(kind, false, r.Unread.Reason, fmt.Sprintf("revision %s: %s", r.Newest, r.Unread.Message))
	case !o.Queue.Known && before != nil:
		return *before
	case !o.Queue.Known:
		return Unknown(kind, ReasonNotReadYet, "QScaler has not read the queue yet")
	}
	return Is(kind, true, ReasonReadSucceeded, "the depth of the queue is current")
}

// reachedBefore is the condition that an earlier leader has left, where the broker answered it. It stands
// until there is newer word, which the backlog has in seconds: a new leader of ten thousand QWorkers is not to
// write each of them twice to say that nothing has changed.
func reachedBefore(written []metav1.Condition) *metav1.Condition {
	c := meta.FindStatusCondition(written, v1alpha1.ConditionBrokerReachable)
	if c == nil || c.Status != metav1.ConditionTrue {
		return nil
	}
	return c
}
