package report

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/qworker/words"
	"github.com/quickube/qscaler/internal/planner"
)

// Event is one event about a QWorker.
type Event struct {
	Type, Reason, Action, Note string
	// Pods are those that it is about. The first is the event's related object: without one, client-go takes the second
	// event of a reason for a repetition of the first, whatever its note says, and that note is never seen.
	Pods []string
	// Condition is the one that has changed, "" where the event is about something else.
	Condition string
}

const (
	actionReclaim = "Reclaim"
	actionCheck   = "Check"
)

// Events tell what was done and why, and what has become worse or is well again. There is one event for each kind of
// action and reason, and not one for each pod: a thousand would be dropped.
func Events(before, after []metav1.Condition, done Done) []Event {
	events := append(actionEvents(done.Actions), done.Sizes...)
	if done.Returned > 0 {
		events = append(events, Event{
			Type: corev1.EventTypeWarning, Reason: "TasksReturned", Action: actionReclaim,
			Note: fmt.Sprintf("QScaler returned %s of dead workers to the queue", words.HowMany(done.Returned, "task", "tasks")),
		})
	}
	if done.ReclaimFailed != "" {
		events = append(events, Event{Type: corev1.EventTypeWarning, Reason: ReasonReclaimFailed, Action: actionReclaim, Note: done.ReclaimFailed})
	}
	events = append(events, changes(before, after)...)
	for i := range events {
		events[i].Note = words.Note(events[i].Note)
	}
	return events
}

// Abandoned names, once a QWorker is let go, the workers whose tasks nobody could reclaim. What they held stays in
// their lists, and nobody will look there any more.
func Abandoned(queue, why string, pods []string) Event {
	return Event{
		Type: corev1.EventTypeWarning, Reason: "TasksAbandoned", Action: actionReclaim,
		Note: words.Note(fmt.Sprintf("cannot return the tasks of %s to the queue %s: %s. The tasks stay in the processing lists of: %s",
			words.HowMany(len(pods), "dead worker", "dead workers"), queue, why, strings.Join(pods, ", "))),
	}
}

// actionEvents tells of what was done, once for all pods to which the same was done for the same reason.
func actionEvents(done []planner.Action) []Event {
	type alike struct {
		kind planner.Kind
		why  string
	}
	var order []alike
	pods := map[alike][]string{}
	for _, a := range done {
		if a.Kind == planner.Remove {
			continue // that a pod which has left is cleared away is nobody's news
		}
		k := alike{a.Kind, a.Why}
		if pods[k] == nil {
			order = append(order, k)
		}
		pods[k] = append(pods[k], a.Pod)
	}
	var events []Event
	for _, k := range order {
		events = append(events, Event{
			Type: corev1.EventTypeNormal, Reason: string(k.kind), Action: string(k.kind), Pods: pods[k],
			Note: fmt.Sprintf("%s (%s: %s)", k.why, words.HowMany(len(pods[k]), "pod", "pods"), words.AndMore(pods[k])),
		})
	}
	return events
}

// changes tells of the conditions that have turned bad, and of those that are good again after they were bad.
func changes(before, after []metav1.Condition) []Event {
	var events []Event
	for _, kind := range []string{
		v1alpha1.ConditionBrokerReachable, v1alpha1.ConditionProgressing, v1alpha1.ConditionStalled,
		v1alpha1.ConditionDraining, v1alpha1.ConditionTasksSeen, v1alpha1.ConditionReady, v1alpha1.ConditionRightSizing,
		v1alpha1.ConditionContested, v1alpha1.ConditionUnknownHolders,
	} {
		was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
		if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
			continue
		}
		e := Event{Reason: is.Reason, Action: actionCheck, Note: is.Message, Condition: kind}
		switch {
		case isBad(is):
			e.Type = corev1.EventTypeWarning
		case was != nil && isBad(was):
			e.Type = corev1.EventTypeNormal
		default:
			continue
		}
		events = append(events, e)
	}
	return events
}

// isBad reports whether a condition asks for a person.
func isBad(c *metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionStalled, v1alpha1.ConditionContested, v1alpha1.ConditionUnknownHolders:
		return c.Status == metav1.ConditionTrue
	case v1alpha1.ConditionDraining:
		return c.Reason == ReasonNotHonoured
	case v1alpha1.ConditionReady:
		return slices.Contains([]string{ReasonReadFailed, ReasonWriteFailed, ReasonBackOff, ReasonWorkersNotReady, ReasonReclaimFailed}, c.Reason)
	default:
		return c.Status == metav1.ConditionFalse
	}
}
