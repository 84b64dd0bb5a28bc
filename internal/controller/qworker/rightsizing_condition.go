package qworker

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
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
	reasonNotApplicable      = "NotApplicable"
	reasonSizingFailed       = "SizingFailed"
)

// rightSizing is True while the workers are, or are being, right-sized. What a person must look at comes first.
func (s *scope) rightSizing() condition {
	const kind = v1alpha1.ConditionRightSizing
	if !s.sizesActive() || s.memory.sizes == nil {
		return absent(kind)
	}
	m, mode := s.memory.sizes, s.sizes.policy.Mode()
	infeasible, deferred := s.sizes.infeasible, s.podsIn(rightsize.Deferred)
	raising := append(s.podsIn(rightsize.InProgress), s.sizes.waiting...)
	switch {
	case m.create.stands(s.now):
		s.wakeAt(m.create.until)
		return is(kind, false, m.create.reason, m.create.message)
	case len(m.history.Troubles()) > 0 && s.sizes.policy.Controls(corev1.ResourceMemory):
		return is(kind, false, reasonOutOfMemory, s.troublesMessage(m.history.Troubles()))
	case len(s.sizes.refused) > 0:
		return is(kind, false, reasonResizeRefused, fmt.Sprintf("the API server refuses to raise running pods, they keep their size: %s: %s; set rightSizing.maxAllowed, or raise the LimitRange or the ResourceQuota where it is one of those",
			andMore(s.sizes.refused), m.resize.message))
	case len(infeasible) > 0:
		return is(kind, false, reasonResizeInfeasible, fmt.Sprintf("the nodes of these pods can never give all that is recommended, they get what they can: %s; set rightSizing.maxAllowed, or use larger nodes", andMore(infeasible)))
	case s.sizes.blocked != "":
		return is(kind, false, reasonNotApplicable, "the recommendation cannot be applied: "+s.sizes.blocked)
	case s.sizes.usage.Err != nil:
		return is(kind, false, reasonMetricsUnavailable, metricsRemedy(s.sizes.usage.Err))
	case s.sizes.err != nil:
		return is(kind, false, reasonSizingFailed, s.sizes.err.Error())
	case len(s.status.Recommendations) == 0:
		c := is(kind, false, reasonWaitingForUsage, "no usage of a worker has been measured yet")
		c.Status = metav1.ConditionUnknown
		return c
	case mode == v1alpha1.RightSizingOff:
		return is(kind, true, reasonRecommended, "rightSizing.mode is Off: status.recommendations says what to request, and no pod is changed")
	case len(s.sizes.unable) > 0:
		return is(kind, true, reasonResizeUnsupported, "new pods get what is recommended; these keep their size, because the cluster or their nodes cannot resize running pods (Kubernetes 1.33 and newer can): "+andMore(s.sizes.unable))
	case len(deferred) > 0:
		return is(kind, true, reasonResizeDeferred, "these pods are resized when their nodes have room: "+andMore(deferred))
	case len(raising) > 0:
		return is(kind, true, reasonRaising, "running pods are raised a few at a time; still to go or under way: "+andMore(raising))
	case mode == v1alpha1.RightSizingInitial:
		return is(kind, true, reasonRightSized, "new pods get what status.recommendations says")
	}
	return is(kind, true, reasonRightSized, "new pods get what status.recommendations says, and running pods have no less")
}

// refusalOf is the refusal of a new pod's size, with what can be done. It tells no time of the day: what is refused again
// is the same trouble, and so it is after a restart.
func refusalOf(reason, words string, now time.Time) sizeRefusal {
	what, remedy := "a pod of the recommended size was refused", "raise the LimitRange or the ResourceQuota, or set rightSizing.maxAllowed"
	if reason == reasonSizeUnschedulable {
		what, remedy = "no node has room for a pod of the recommended size", "use larger nodes or more of them, or set rightSizing.maxAllowed"
	}
	return sizeRefusal{
		reason: reason, until: now.Add(refusalLasts),
		message: fmt.Sprintf("%s, new pods are made as in the podSpec, and it is tried again after %.0f minutes: %s; %s", what, refusalLasts.Minutes(), words, remedy),
	}
}

// recallRefusal takes up what a process before was answered: the size is not tried again at once, and what is told of it
// stands. A spec that has changed since has another try.
func (m *sizeMemory) recallRefusal(conditions []metav1.Condition, now time.Time) {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionRightSizing)
	if c != nil && (c.Reason == reasonSizeRefused || c.Reason == reasonSizeUnschedulable) {
		m.generation = c.ObservedGeneration
		m.create = sizeRefusal{reason: c.Reason, message: c.Message, until: now.Add(refusalLasts)}
	}
}

// podsIn are the live pods whose resize is in a state.
func (s *scope) podsIn(state rightsize.ResizeState) []string {
	var names []string
	for _, pod := range s.stayingPods() {
		if rightsize.StateOf(pod) == state {
			names = append(names, pod.Name)
		}
	}
	return names
}

// troublesMessage names the pods that were killed and for which the memory was not raised.
func (s *scope) troublesMessage(troubles []rightsize.Trouble) string {
	pods := map[rightsize.Verdict][]string{}
	for _, t := range troubles {
		s.wakeAt(t.At.Add(time.Hour))
		pods[t.Verdict] = append(pods[t.Verdict], t.Pod)
	}
	var parts []string
	for _, of := range []struct {
		verdict rightsize.Verdict
		words   string
	}{
		{rightsize.Capped, "out-of-memory kills go on though the memory was raised several times, it is not raised further for now; a task may need more than any worker can have"},
		{rightsize.Outgrown, "killed out of memory with several times the memory that the podSpec requests and the other workers use, and it is not raised further; look at the tasks, or set rightSizing.maxAllowed to what a worker may have"},
		{rightsize.AtMaximum, "killed out of memory with all that rightSizing.maxAllowed allows"},
		{rightsize.AtLimit, "killed out of memory at a limit that rightSizing.controlledValues RequestsOnly leaves as it is; raise it in the podSpec, or set RequestsAndLimits"},
	} {
		if names := pods[of.verdict]; len(names) > 0 {
			parts = append(parts, of.words+": "+andMore(names))
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
		return "the operator may not read pod metrics, apply its current config/rbac: " + err.Error() + goesOn
	}
	return "the metrics API does not answer, see kubectl get apiservice v1beta1.metrics.k8s.io: " + err.Error() + goesOn
}
