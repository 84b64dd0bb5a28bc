package scalerconfig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/ownwrites"
)

// Reasons of conditions; docs/troubleshooting.md has them.
const (
	reasonAnswers       = "BrokerAnswers"
	reasonNotTried      = "NotTriedYet"
	reasonInvalidations = "Invalidations"
	reasonPolled        = "Polled"
	reasonClaimed       = "Claimed"
	reasonNotServed     = "QueuesNotServed"
)

// writeStatus writes the status if it has changed, and an event when the broker's health has.
func (r *Reconciler) writeStatus(ctx context.Context, config *v1alpha1.ScalerConfig, health backlog.Health) error {
	if !health.Known && describes(config) {
		return nil // as after the operator's restart: what is shown holds until the broker was tried
	}
	st := r.statusOf(config, conditionsOf(config, health))
	if equality.Semantic.DeepEqual(config.Status, *st) {
		return nil
	}
	updated, err := r.patchStatus(ctx, config, st)
	if isUnwritable(err) {
		updated, err = r.patchStatus(ctx, config, r.statusOf(config, withoutWords(conditionsOf(config, health), err)))
	}
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	r.configs.Record(client.ObjectKeyFromObject(config), ownwrites.Write[*v1alpha1.ScalerConfig]{Object: updated, At: r.clock.Now()})
	r.report(ctx, config, updated)
	return nil
}

// patchStatus writes the whole status, and not what differs from the cache: the cache may be old, and false is to be seen.
func (r *Reconciler) patchStatus(ctx context.Context, config *v1alpha1.ScalerConfig, st *v1alpha1.ScalerConfigStatus) (*v1alpha1.ScalerConfig, error) {
	patch, err := json.Marshal(map[string]any{"status": st})
	if err != nil {
		return nil, fmt.Errorf("encoding the status, %w", err)
	}
	updated := &v1alpha1.ScalerConfig{ObjectMeta: metav1.ObjectMeta{Namespace: config.Namespace, Name: config.Name}}
	if err := r.client.Status().Patch(ctx, updated, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return nil, fmt.Errorf("writing the status, %w", err)
	}
	return updated, nil
}

// isUnwritable reports whether the API server refuses a status for what stands in it: it does so again, whenever it is
// written.
func isUnwritable(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}

// withoutWords are the conditions without what was refused in them: what they say of the broker is to be seen all the
// same, or a status that was true stands for as long as its broker talks.
func withoutWords(conditions []metav1.Condition, refusal error) []metav1.Condition {
	for i := range conditions {
		conditions[i].Message = "the API server refuses the words of this condition: " + broker.Words(refusal.Error(), broker.Secret{})
	}
	return conditions
}

// describes reports whether the status says something of the spec as it is.
func describes(config *v1alpha1.ScalerConfig) bool {
	return config.Status.ObservedGeneration == config.Generation &&
		meta.FindStatusCondition(config.Status.Conditions, v1alpha1.ConditionHealthy) != nil
}

func (r *Reconciler) statusOf(config *v1alpha1.ScalerConfig, conditions []metav1.Condition) *v1alpha1.ScalerConfigStatus {
	st := config.Status.DeepCopy()
	st.ObservedGeneration = config.Generation
	for _, c := range conditions {
		if c.Type == v1alpha1.ConditionHealthy {
			st.Healthy = c.Status == metav1.ConditionTrue
		}
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
func conditionsOf(config *v1alpha1.ScalerConfig, h backlog.Health) []metav1.Condition {
	conditions := append(healthOf(h), suitableOf(h))
	for _, c := range []*metav1.Condition{reclaimsOf(config, h.Claim), unknownHoldersOf(config, h.Unserved)} {
		if c != nil {
			conditions = append(conditions, *c)
		}
	}
	return conditions
}

// healthOf says whether the broker answers.
func healthOf(h backlog.Health) []metav1.Condition {
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
	trouble := &reconciling
	if needsPerson(h.Err) {
		trouble = &stalled
	}
	trouble.Status, trouble.Reason, trouble.Message = metav1.ConditionTrue, healthy.Reason, healthy.Message
	return []metav1.Condition{healthy, reconciling, stalled}
}

// reclaimsOf says that tasks of dead workers are not returned, and why. Its status is empty where they are, or where
// nobody wants them to be; the condition is nil while that is not known, as for moments after a start.
func reclaimsOf(config *v1alpha1.ScalerConfig, claim backlog.Claim) *metav1.Condition {
	c := &metav1.Condition{Type: v1alpha1.ConditionReclaims}
	switch {
	case !ptr.Deref(config.Spec.Config.Reclaim, true) || (claim.Known && claim.Err == nil):
		return c
	case !claim.Known:
		return nil
	}
	c.Status, c.Reason, c.Message = metav1.ConditionFalse, string(broker.ReasonOf(claim.Err)), claim.Err.Error()
	return c
}

// needsPerson reports whether the connection cannot even be tried until a person changes something.
func needsPerson(err error) bool {
	var config *connection.Error
	return errors.As(err, &config) && config.Reason != connection.ReasonSecretUnreadable
}

// report writes an event when the health has changed, or why it is not there, and when tasks are not returned any more, or
// again.
func (r *Reconciler) report(ctx context.Context, before, after *v1alpha1.ScalerConfig) {
	r.reportClaim(ctx, before, after)
	r.reportRisks(ctx, before, after)
	r.reportUnserved(ctx, before, after)
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionHealthy)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionHealthy)
	switch {
	case was != nil && was.Status == is.Status && was.Reason == is.Reason:
	case is.Status == metav1.ConditionFalse:
		r.tell(ctx, after, corev1.EventTypeWarning, is.Reason, "Probe", is.Message)
	case is.Status == metav1.ConditionTrue && was != nil && was.Status == metav1.ConditionFalse:
		r.tell(ctx, after, corev1.EventTypeNormal, is.Reason, "Probe", is.Message)
	}
}

// tell writes an event, and logs it. Its note is cut where it is too long for one: a broker may say 300 characters of four
// bytes each.
func (r *Reconciler) tell(ctx context.Context, about *v1alpha1.ScalerConfig, kind, reason, action, note string) {
	note = words.Note(note)
	r.recorder.Eventf(about, nil, kind, reason, action, "%s", note)
	logs.Event(ctrl.LoggerFrom(ctx), kind, reason, "note", note)
}

// claimedAfter says that this operator returns tasks again; reason is why it did not.
func claimedAfter(reason string) string {
	if reason == string(broker.ReasonOtherOperator) {
		return "no other operator returns the tasks of dead workers any more: this one does"
	}
	return "this operator can return the tasks of dead workers again"
}

func (r *Reconciler) reportClaim(ctx context.Context, before, after *v1alpha1.ScalerConfig) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReclaims)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReclaims)
	switch {
	case is != nil && (was == nil || was.Reason != is.Reason):
		r.tell(ctx, after, corev1.EventTypeWarning, is.Reason, "Reclaim", is.Message)
	case is == nil && was != nil && ptr.Deref(after.Spec.Config.Reclaim, true):
		r.tell(ctx, after, corev1.EventTypeNormal, reasonClaimed, "Reclaim", claimedAfter(was.Reason))
	}
}
