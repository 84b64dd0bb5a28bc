package sizing

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/rightsize"
)

// Reasons of the condition RightSizing; docs/troubleshooting.md has a paragraph for each.
const (
	reasonRightSized         = "RightSized"
	reasonRaising            = "Raising"
	reasonRecommended        = "Recommended"
	reasonResizeDeferred     = "ResizeDeferred"
	reasonResizeUnsupported  = "ResizeUnsupported"
	reasonWaitingForUsage    = "WaitingForUsage"
	reasonResizeInfeasible   = "ResizeInfeasible"
	reasonResizeRefused      = "ResizeRefused"
	reasonSizeRefused        = "SizeRefused"
	reasonSizeUnschedulable  = "SizeUnschedulable"
	reasonOutOfMemory        = "OutOfMemory"
	reasonMetricsUnavailable = "MetricsUnavailable"
	reasonBoundsCross        = "BoundsCross"
	reasonNotApplicable      = "NotApplicable"
	reasonSizingFailed       = "SizingFailed"
)

// Condition is RightSizing: True while the workers are, or are being, right-sized, without a status where they are
// not to be. What a person must look at comes first. The pods are those that stay, as they are after the round.
func (r *Round) Condition(staying []*corev1.Pod) metav1.Condition {
	if !r.active {
		return metav1.Condition{Type: v1alpha1.ConditionRightSizing}
	}
	m, mode := r.memory, r.policy.Mode()
	troubles := m.history.Troubles()
	deferred := podsIn(staying, rightsize.Deferred)
	raising := append(podsIn(staying, rightsize.InProgress), r.waiting...)
	switch {
	case m.create.stands(r.fleet.Now):
		r.recheckAt(m.create.until)
		return is(false, m.create.reason, m.create.message)
	case len(troubles) > 0 && r.policy.Controls(corev1.ResourceMemory):
		for _, t := range troubles {
			r.recheckAt(t.At.Add(time.Hour)) // each is told for an hour
		}
		return is(false, reasonOutOfMemory, troublesMessage(troubles))
	case len(r.refused) > 0:
		return is(false, reasonResizeRefused, fmt.Sprintf("the API server refuses to raise running pods, so they keep their size: %s: %s; set rightSizing.maxAllowed, or raise the LimitRange or the ResourceQuota if the message names one",
			words.AndMore(r.refused), m.resize.message))
	case len(r.infeasible) > 0:
		return is(false, reasonResizeInfeasible, fmt.Sprintf("the nodes of these pods can never give all that is recommended, so the pods get what the nodes can give: %s; set rightSizing.maxAllowed, or use larger nodes", words.AndMore(r.infeasible)))
	case r.blocked != "":
		return is(false, reasonNotApplicable, "the recommendation cannot be applied: "+r.blocked)
	case r.policy.Crossing() != "":
		return is(false, reasonBoundsCross, r.policy.Crossing()+"; maxAllowed counts; lower minAllowed or raise maxAllowed")
	case r.usage.Err != nil:
		return is(false, reasonMetricsUnavailable, metricsRemedy(r.usage.Err))
	case r.err != nil:
		return is(false, reasonSizingFailed, r.err.Error())
	case len(r.Recommendations) == 0:
		return says(metav1.ConditionUnknown, reasonWaitingForUsage, r.waitingForUsage())
	case mode == v1alpha1.RightSizingOff:
		return is(true, reasonRecommended, "rightSizing.mode is Off: status.recommendations says what to request, and no pod is changed")
	case len(r.unable) > 0:
		return is(true, reasonResizeUnsupported, "new pods get what is recommended; these pods keep their size, because the cluster or their nodes cannot resize running pods (Kubernetes 1.33 and newer can): "+words.AndMore(r.unable))
	case len(deferred) > 0:
		return is(true, reasonResizeDeferred, "these pods get more when their nodes have room: "+words.AndMore(deferred))
	case len(raising) > 0:
		return is(true, reasonRaising, "QScaler raises running pods a few at a time; these are not raised yet: "+words.AndMore(raising))
	case mode == v1alpha1.RightSizingInitial:
		return is(true, reasonRightSized, "new pods get what status.recommendations says")
	}
	return is(true, reasonRightSized, "new pods get what status.recommendations says, and running pods have no less")
}

// waitingForUsage says why there is no recommendation.
func (r *Round) waitingForUsage() string {
	const none = "the metrics API has no usage of a worker yet"
	if drain := r.fleet.QWorker.Spec.Drain; drain != nil && drain.EndsAfterTask {
		return none + "; one that ends sooner than the metrics server looks, every 15 s by default, never has any; out-of-memory kills count all the same"
	}
	return none
}

// podsIn are the pods whose resize is in a state.
func podsIn(pods []*corev1.Pod, state rightsize.ResizeState) []string {
	var names []string
	for _, pod := range pods {
		if rightsize.StateOf(pod) == state {
			names = append(names, pod.Name)
		}
	}
	return names
}

// troublesMessage names the pods that were killed and for which the memory was not raised.
func troublesMessage(troubles []rightsize.Trouble) string {
	pods := map[rightsize.KillResult][]string{}
	for _, t := range troubles {
		pods[t.Result] = append(pods[t.Result], t.Pod)
	}
	var parts []string
	for _, of := range []struct {
		result rightsize.KillResult
		means  string
	}{
		{rightsize.Capped, "these pods were killed out of memory although their memory was raised several times; QScaler does not raise it further for now, because a task may need more than any worker can have"},
		{rightsize.Outgrown, "these pods were killed out of memory with several times the memory that the podSpec requests and the other workers use; QScaler does not raise it further; look at their tasks, or set rightSizing.maxAllowed to what a worker may have"},
		{rightsize.AtMaximum, "these pods were killed out of memory with all that rightSizing.maxAllowed allows; look at their tasks, or raise it"},
		{rightsize.AtLimit, "these pods were killed out of memory at a limit that rightSizing.controlledValues RequestsOnly leaves as it is; raise the limit in the podSpec, or set RequestsAndLimits"},
	} {
		if names := pods[of.result]; len(names) > 0 {
			parts = append(parts, of.means+": "+words.AndMore(names))
		}
	}
	return strings.Join(parts, "; ")
}

// metricsRemedy says what to do where the metrics API does not answer.
func metricsRemedy(err error) string {
	const goesOn = "; workers are scaled as before, and out-of-memory kills still raise their memory"
	switch {
	case apierrors.IsNotFound(err):
		return "the cluster has no metrics API (metrics.k8s.io); install the metrics-server: kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml" + goesOn
	case apierrors.IsForbidden(err):
		return "the operator may not read pod metrics; apply its current config/rbac: " + err.Error() + goesOn
	}
	return "the metrics API does not answer; see kubectl get apiservice v1beta1.metrics.k8s.io: " + err.Error() + goesOn
}

func is(value bool, reason, message string) metav1.Condition {
	if value {
		return says(metav1.ConditionTrue, reason, message)
	}
	return says(metav1.ConditionFalse, reason, message)
}

func says(status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: v1alpha1.ConditionRightSizing, Status: status, Reason: reason, Message: message}
}
