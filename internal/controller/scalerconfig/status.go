package scalerconfig

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
)

// Reasons of conditions; docs/troubleshooting.md has them.
const (
	reasonAnswers       = "BrokerAnswers"
	reasonNotTried      = "NotTriedYet"
	reasonInvalidations = "Invalidations"
	reasonPolled        = "Polled"
)

// writeStatus writes the status if it has changed, and an event when the broker's health has.
func (r *Reconciler) writeStatus(ctx context.Context, config *v1alpha1.ScalerConfig, health backlog.Health) error {
	updated := config.DeepCopy()
	st := &updated.Status
	st.ObservedGeneration = config.Generation
	st.Healthy = health.Known && health.Err == nil
	for _, c := range conditionsOf(health) {
		if c.Status == "" {
			meta.RemoveStatusCondition(&st.Conditions, c.Type)
			continue
		}
		c.ObservedGeneration = config.Generation
		c.LastTransitionTime = metav1.NewTime(r.clock.Now().Truncate(time.Second))
		meta.SetStatusCondition(&st.Conditions, c)
	}
	if equality.Semantic.DeepEqual(config.Status, *st) {
		return nil
	}
	if err := r.client.Status().Patch(ctx, updated, client.MergeFrom(config)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("writing the status, %w", err))
	}
	r.report(config, updated)
	return nil
}

// conditionsOf says what the backlog knows, in a person's words.
func conditionsOf(h backlog.Health) []metav1.Condition {
	if !h.Known {
		return []metav1.Condition{
			{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionUnknown, Reason: reasonNotTried, Message: "the broker has not been tried yet"},
			{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: reasonNotTried, Message: "connecting to the broker"},
			{Type: v1alpha1.ConditionStalled},
		}
	}
	if h.Err != nil {
		reason, message := reasonOf(h.Err), h.Err.Error()
		return []metav1.Condition{
			{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse, Reason: reason, Message: message},
			{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: reason, Message: message},
			{Type: v1alpha1.ConditionStalled},
		}
	}
	pushes := metav1.Condition{Type: v1alpha1.ConditionPushes, Status: metav1.ConditionTrue, Reason: reasonInvalidations, Message: "the broker tells of changes by itself"}
	if !h.Pushes {
		pushes.Status, pushes.Reason, pushes.Message = metav1.ConditionFalse, reasonPolled, h.Why
	}
	return []metav1.Condition{
		{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue, Reason: reasonAnswers, Message: "the broker answers"},
		pushes,
		{Type: v1alpha1.ConditionReconciling},
		{Type: v1alpha1.ConditionStalled},
	}
}

func reasonOf(err error) string {
	var config *connection.Error
	if errors.As(err, &config) {
		return config.Reason
	}
	return string(broker.ReasonOf(err))
}

func (r *Reconciler) report(before, after *v1alpha1.ScalerConfig) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionHealthy)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionHealthy)
	switch {
	case was != nil && was.Status == is.Status && was.Reason == is.Reason:
	case is.Status == metav1.ConditionFalse:
		r.recorder.Eventf(after, nil, corev1.EventTypeWarning, is.Reason, "Probe", "%s", is.Message)
	case is.Status == metav1.ConditionTrue && was != nil && was.Status == metav1.ConditionFalse:
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, is.Reason, "Probe", "%s", is.Message)
	}
}
