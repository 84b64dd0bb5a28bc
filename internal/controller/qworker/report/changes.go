package report

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// toldOf are the conditions of which people are told, in the order in which they are.
var toldOf = [...]string{
	v1alpha1.ConditionBrokerReachable, v1alpha1.ConditionProgressing, v1alpha1.ConditionStalled,
	v1alpha1.ConditionDraining, v1alpha1.ConditionTasksSeen, v1alpha1.ConditionTasksProtected, v1alpha1.ConditionReady, v1alpha1.ConditionRightSizing,
	v1alpha1.ConditionConfigRead, v1alpha1.ConditionContested, v1alpha1.ConditionUnknownHolders,
}

// changes tells of the conditions that have turned bad, and of those that are well again after it was told that they
// were bad. In between a condition may be neither, as while the next worker starts after a crash: that is no recovery, and
// the same fault that comes back from there is no news.
func (m *Memory) changes(before, after []metav1.Condition) []Event {
	var events []Event
	for _, kind := range toldOf {
		was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
		told := m.toldOf(kind, was)
		if is == nil {
			delete(m.Told, kind)
			continue
		}
		e := Event{Reason: is.Reason, Action: actionCheck, Note: is.Message, Condition: kind}
		fault := Fault{is.Reason, is.ObservedGeneration}
		switch {
		case was != nil && was.Status == is.Status && was.Reason == is.Reason:
			continue
		case isBad(is):
			m.Told[kind] = fault
			if told == fault || alsoTold(events, e) {
				continue
			}
			e.Type = corev1.EventTypeWarning
		case told != (Fault{}) && isWell(is):
			delete(m.Told, kind)
			e.Type = corev1.EventTypeNormal
		default:
			continue
		}
		events = append(events, e)
	}
	return events
}

// toldOf is the fault that was last told of a condition, zero where it is well. What an earlier leader has found bad it
// has told of.
func (m *Memory) toldOf(kind string, was *metav1.Condition) Fault {
	if m.Told == nil {
		m.Told = map[string]Fault{}
	}
	if _, known := m.Told[kind]; !known && was != nil && isBad(was) {
		m.Told[kind] = Fault{was.Reason, was.ObservedGeneration}
	}
	return m.Told[kind]
}

// alsoTold reports whether another condition has told the same: several may have one cause.
func alsoTold(events []Event, e Event) bool {
	return slices.ContainsFunc(events, func(other Event) bool { return other.Reason == e.Reason && other.Type == corev1.EventTypeWarning })
}

// isBad reports whether a condition asks for a person.
func isBad(c *metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionStalled, v1alpha1.ConditionContested, v1alpha1.ConditionUnknownHolders:
		return c.Status == metav1.ConditionTrue
	case v1alpha1.ConditionDraining:
		return c.Reason == ReasonNotHonoured
	case v1alpha1.ConditionReady:
		return slices.Contains([]string{ReasonReadFailed, ReasonWriteFailed, ReasonPodRefused, ReasonBackOff, ReasonWorkersNotReady, ReasonReclaimFailed}, c.Reason)
	default:
		return c.Status == metav1.ConditionFalse
	}
}

// isWell reports whether a condition is as it is to be.
func isWell(c *metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionReady, v1alpha1.ConditionBrokerReachable, v1alpha1.ConditionRightSizing, v1alpha1.ConditionConfigRead:
		return c.Status == metav1.ConditionTrue
	case v1alpha1.ConditionProgressing:
		return c.Status == metav1.ConditionTrue && c.Reason != ReasonCanaryStarting && c.Reason != ReasonWaitingForQuota
	default:
		return !isBad(c)
	}
}
