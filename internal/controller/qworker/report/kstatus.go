package report

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// kstatus says the same as Ready and Progressing to tools such as kubectl wait, Argo CD and Flux.
func kstatus(o Observed, done Done, ready, progressing metav1.Condition) []metav1.Condition {
	const reconciling, stalled = v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled
	switch {
	case o.Deleting:
		return []metav1.Condition{Is(reconciling, true, ready.Reason, ready.Message), Absent(stalled)}
	case o.Stalled != nil:
		return []metav1.Condition{Absent(reconciling), Is(stalled, true, o.Stalled.Reason, o.Stalled.Message)}
	case ready.Reason == ReasonPodRefused:
		return []metav1.Condition{Absent(reconciling), Is(stalled, true, ready.Reason, ready.Message)}
	case progressing.Status == metav1.ConditionFalse:
		return []metav1.Condition{Absent(reconciling), Is(stalled, true, progressing.Reason, progressing.Message)}
	case ready.Status != metav1.ConditionTrue || done.Failure != nil:
		return []metav1.Condition{Is(reconciling, true, ready.Reason, ready.Message), Absent(stalled)}
	case progressing.Status == metav1.ConditionTrue && progressing.Reason != ReasonRevisionAvailable:
		return []metav1.Condition{Is(reconciling, true, progressing.Reason, progressing.Message), Absent(stalled)}
	}
	return []metav1.Condition{Absent(reconciling), Absent(stalled)}
}
