package report

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/planner"
)

// Event is one event about a QWorker.
type Event struct {
	Type, Reason, Action, Note string
	// Why is the note without the names of pods, where it has them.
	Why string
	// Pods are those that it is about. The first is the event's related object: without one, client-go takes the second
	// event of a reason for a repetition of the first, whatever its note says, and that note is never seen.
	Pods []string
	// Condition is the one that has changed, "" where the event is about something else.
	Condition string
}

const (
	actionReclaim = "Reclaim"
	actionCheck   = "Check"

	reasonTasksAbandoned = "TasksAbandoned"
)

// Events tell what was done and why, and what has become worse or is well again. There is one event for each kind of
// action and reason, and not one for each pod: a thousand would be dropped.
func Events(before, after []metav1.Condition, done Done, m *Memory) []Event {
	events := append(actionEvents(done.Actions), done.Sizes...)
	if done.Returned > 0 {
		events = append(events, Event{
			Type: corev1.EventTypeWarning, Reason: "TasksReturned", Action: actionReclaim,
			Note: fmt.Sprintf("QScaler returned %s of dead workers to the queue", words.HowMany(done.Returned, "task", "tasks")),
		})
	}
	if len(done.ChangedConfig) > 0 {
		events = append(events, Event{
			Type: corev1.EventTypeNormal, Reason: "ConfigChanged", Action: actionCheck,
			Note: fmt.Sprintf("%s changed, and spec.rollout.onConfigChange is Restart: workers of a new revision replace those of before", words.AndMore(done.ChangedConfig)),
		})
	}
	if done.ReclaimFailed != "" {
		events = append(events, Event{Type: corev1.EventTypeWarning, Reason: ReasonReclaimFailed, Action: actionReclaim, Note: done.ReclaimFailed})
	}
	events = append(events, m.changes(before, after)...)
	for i := range events {
		events[i].Note = words.Note(events[i].Note)
	}
	return events
}

// Abandoned names, once a QWorker is let go, the workers whose tasks nobody could reclaim. Nobody will look for what they
// held any more.
func Abandoned(queue, why string, pods []string) Event {
	return Event{
		Type: corev1.EventTypeWarning, Reason: reasonTasksAbandoned, Action: actionReclaim,
		Note: words.Note(fmt.Sprintf("cannot return the tasks of %s to the queue %s: %s. Where the broker does not return them by itself, return them by hand. The workers are: %s",
			words.HowMany(len(pods), "dead worker", "dead workers"), queue, why, strings.Join(pods, ", "))),
	}
}

// SearchAbandoned says, once a QWorker is let go, that nobody has looked for workers whose tasks are to be returned.
func SearchAbandoned(queue, why string) Event {
	return Event{
		Type: corev1.EventTypeWarning, Reason: reasonTasksAbandoned, Action: actionReclaim,
		Note: words.Note(fmt.Sprintf("cannot look for the tasks of workers that died while no operator was running, of the queue %s: %s. Where the broker does not return such tasks by itself, return them by hand",
			queue, why)),
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
			Type: corev1.EventTypeNormal, Reason: string(k.kind), Action: string(k.kind), Pods: pods[k], Why: k.why,
			Note: fmt.Sprintf("%s (%s: %s)", k.why, words.HowMany(len(pods[k]), "pod", "pods"), words.AndMore(pods[k])),
		})
	}
	return events
}
