package scalerconfig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
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

// written is a status and the version of the object that has it.
type written struct {
	status          v1alpha1.ScalerConfigStatus
	resourceVersion string
}

// useNewestStatus puts the status as it was last written in the place of an older one from the cache: a
// broker that fails and answers again within a moment would else be shown as failing for good.
func (r *Reconciler) useNewestStatus(config *v1alpha1.ScalerConfig) {
	name := client.ObjectKeyFromObject(config)
	last, ok := r.written[name]
	if !ok {
		return
	}
	order, err := resourceversion.CompareResourceVersion(config.ResourceVersion, last.resourceVersion)
	if err != nil || order >= 0 {
		delete(r.written, name)
		return
	}
	last.status.DeepCopyInto(&config.Status)
}

// writeStatus writes the status if it has changed, and an event when the broker's health has.
func (r *Reconciler) writeStatus(ctx context.Context, config *v1alpha1.ScalerConfig, health backlog.Health) error {
	if !health.Known && describes(config) {
		return nil // as after the operator's restart: what is shown holds until the broker was tried
	}
	st := r.statusOf(config, health)
	if equality.Semantic.DeepEqual(config.Status, *st) {
		return nil
	}
	// The whole status, and not what differs from the cache: the cache may be old, and false is to be seen.
	patch, err := json.Marshal(map[string]any{"status": st})
	if err != nil {
		return fmt.Errorf("encoding the status, %w", err)
	}
	updated := &v1alpha1.ScalerConfig{ObjectMeta: metav1.ObjectMeta{Namespace: config.Namespace, Name: config.Name}}
	if err := r.client.Status().Patch(ctx, updated, client.RawPatch(types.MergePatchType, patch)); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil
		}
		return fmt.Errorf("writing the status, %w", err)
	}
	r.written[client.ObjectKeyFromObject(config)] = written{*st.DeepCopy(), updated.ResourceVersion}
	r.report(config, updated)
	return nil
}

// describes reports whether the status says something of the spec as it is.
func describes(config *v1alpha1.ScalerConfig) bool {
	return config.Status.ObservedGeneration == config.Generation &&
		meta.FindStatusCondition(config.Status.Conditions, v1alpha1.ConditionHealthy) != nil
}

func (r *Reconciler) statusOf(config *v1alpha1.ScalerConfig, health backlog.Health) *v1alpha1.ScalerConfigStatus {
	st := config.Status.DeepCopy()
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
	return st
}

// conditionsOf says what the backlog knows, in a person's words. A condition without a status is absent.
func conditionsOf(h backlog.Health) []metav1.Condition {
	var (
		healthy     = metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue, Reason: reasonAnswers, Message: "the broker answers"}
		pushes      = metav1.Condition{Type: v1alpha1.ConditionPushes, Status: metav1.ConditionTrue, Reason: reasonInvalidations, Message: "the broker tells of changes by itself"}
		reconciling = metav1.Condition{Type: v1alpha1.ConditionReconciling}
		stalled     = metav1.Condition{Type: v1alpha1.ConditionStalled}
	)
	if !h.Pushes {
		pushes.Status, pushes.Reason, pushes.Message = metav1.ConditionFalse, reasonPolled, h.Why
	}
	if h.Known && h.Err == nil {
		return []metav1.Condition{healthy, pushes, reconciling, stalled}
	}
	healthy.Status, healthy.Reason, healthy.Message = metav1.ConditionUnknown, reasonNotTried, "the broker has not been tried yet"
	if h.Known {
		healthy.Status, healthy.Reason, healthy.Message = metav1.ConditionFalse, string(broker.ReasonOf(h.Err)), h.Err.Error()
	}
	// kstatus: a person must act, or it may well come right by itself.
	verdict := &reconciling
	if needsPerson(h.Err) {
		verdict = &stalled
	}
	verdict.Status, verdict.Reason, verdict.Message = metav1.ConditionTrue, healthy.Reason, healthy.Message
	return []metav1.Condition{healthy, reconciling, stalled}
}

// needsPerson reports whether the connection cannot even be tried until a person changes something.
func needsPerson(err error) bool {
	var config *connection.Error
	return errors.As(err, &config) && config.Reason != connection.ReasonSecretUnreadable
}

// report writes an event when the health has changed, or why it is not there.
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
