package report

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// scalingLimited is True while the range has another number than the queue asks for. Before the queue was read, what
// an earlier leader has said stands.
func scalingLimited(known bool, d Decided, written []metav1.Condition) metav1.Condition {
	const kind = v1alpha1.ConditionScalingLimited
	if before := meta.FindStatusCondition(written, kind); before != nil && !known {
		return *before
	}
	if d.Limited != (Problem{}) {
		return Is(kind, true, d.Limited.Reason, d.Limited.Message)
	}
	return Is(kind, false, ReasonWithinRange, "the queue asks for a number of workers from minReplicas to maxReplicas")
}
