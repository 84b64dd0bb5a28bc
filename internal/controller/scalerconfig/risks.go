package scalerconfig

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
)

// suitableOf says what of the broker's version and settings, and of the workers' own login, endangers tasks. Its status is empty where nothing does, as
// far as is known.
func suitableOf(h backlog.Health) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionSuitable}
	if len(h.Risks) == 0 {
		return c
	}
	messages := make([]string, len(h.Risks))
	for i, risk := range h.Risks {
		messages[i] = risk.Message
	}
	c.Status, c.Reason, c.Message = metav1.ConditionFalse, string(h.Risks[0].Reason), strings.Join(messages, ". Also, ")
	return c
}

// reportRisks writes an event when another risk comes first.
func (r *Reconciler) reportRisks(ctx context.Context, before, after *v1alpha1.ScalerConfig) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionSuitable)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionSuitable)
	if is != nil && (was == nil || was.Reason != is.Reason) {
		r.tell(ctx, after, corev1.EventTypeWarning, is.Reason, "Inspect", is.Message)
	}
}
