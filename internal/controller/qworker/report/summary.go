package report

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// summaryOf is the worst that a person must know of a QWorker, and else that all is well, and why there are so many
// workers.
//
//	what is done for it         it is being deleted
//	the fleet as a whole        it does not work, or nobody can say what it needs
//	the spec                    cannot be followed, or its revision does not take over
//	other operators             act on it at once
//	workers                     that do not leave, or cannot be told to
//	tasks                       that a setting cuts
//	what a person has stopped   a rollout
//	what nobody can see         changes of Secrets and ConfigMaps
//	tasks                       that nobody will do
func summaryOf(conditions []metav1.Condition, why string) *v1alpha1.SummaryStatus {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return nil
	}
	told := func(c *metav1.Condition) *v1alpha1.SummaryStatus {
		return &v1alpha1.SummaryStatus{Reason: c.Reason, Message: c.Message}
	}
	if ready.Status != metav1.ConditionTrue && ready.Reason != ReasonScalingUp {
		return told(ready)
	}
	for _, kind := range [...]string{
		v1alpha1.ConditionStalled, v1alpha1.ConditionContested, v1alpha1.ConditionDraining, v1alpha1.ConditionTasksSeen,
		v1alpha1.ConditionTasksProtected,
	} {
		if c := meta.FindStatusCondition(conditions, kind); c != nil && isBad(c) {
			return told(c)
		}
	}
	if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionProgressing); c != nil && c.Reason == ReasonRolloutPaused {
		return told(c)
	}
	for _, kind := range [...]string{v1alpha1.ConditionConfigRead, v1alpha1.ConditionUnknownHolders} {
		if c := meta.FindStatusCondition(conditions, kind); c != nil && isBad(c) {
			return told(c)
		}
	}
	summary := told(ready)
	if slices.Contains([]string{ReasonReady, ReasonIdle}, ready.Reason) && why != "" {
		summary.Message = why
	}
	return summary
}
