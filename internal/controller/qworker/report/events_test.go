package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/planner"
)

func TestEventsTellWhatWasDone(t *testing.T) {
	do := func(kind planner.Kind, why string, pods ...string) []planner.Action {
		var actions []planner.Action
		for _, pod := range pods {
			actions = append(actions, planner.Action{Kind: kind, Pod: pod, Why: why})
		}
		return actions
	}
	normal := func(kind, note string, pods ...string) Event {
		why, _, _ := strings.Cut(note, " (")
		return Event{Type: corev1.EventTypeNormal, Reason: kind, Action: kind, Note: note, Why: why, Pods: pods}
	}
	cases := map[string]struct {
		done Done
		want []Event
	}{
		"nothing": {Done{}, nil},
		"that a pod which has left is removed is no news": {Done{Actions: do(planner.Remove, "it has left", "a")}, nil},
		"a pod is created":                        {Done{Actions: do(planner.Create, "the queue", "a")}, []Event{normal("Create", "the queue (1 pod: a)", "a")}},
		"a grant is given":                        {Done{Actions: do(planner.GrantLeave, "too many", "a", "b")}, []Event{normal("GrantLeave", "too many (2 pods: a, b)", "a", "b")}},
		"a pod is deleted that leaves on SIGTERM": {Done{Actions: do(planner.SignalLeave, "too many", "a")}, []Event{normal("SignalLeave", "too many (1 pod: a)", "a")}},
		"a grant is withdrawn":                    {Done{Actions: do(planner.WithdrawGrant, "demand", "a")}, []Event{normal("WithdrawGrant", "demand (1 pod: a)", "a")}},
		"a pod that does not run is deleted":      {Done{Actions: do(planner.DeleteNotRunning, "too many", "a")}, []Event{normal("DeleteNotRunning", "too many (1 pod: a)", "a")}},
		"a pod is deleted that is overdue":        {Done{Actions: do(planner.DeleteOverdue, "too long", "a")}, []Event{normal("DeleteOverdue", "too long (1 pod: a)", "a")}},
		"each kind and reason is one event, with three names": {
			Done{Actions: append(append(do(planner.Create, "x", "a"), do(planner.Create, "y", "b")...), append(do(planner.GrantLeave, "x", "c"), do(planner.Create, "x", "d", "e", "f")...)...)},
			[]Event{normal("Create", "x (4 pods: a, d, e and 1 more)", "a", "d", "e", "f"), normal("Create", "y (1 pod: b)", "b"), normal("GrantLeave", "x (1 pod: c)", "c")},
		},
		"right-sizing has its own": {
			Done{Sizes: []Event{normal("Resized", "raised", "a")}}, []Event{normal("Resized", "raised", "a")},
		},
		"one task is back": {
			Done{Returned: 1}, []Event{{Type: corev1.EventTypeWarning, Reason: "TasksReturned", Action: "Reclaim", Note: "QScaler returned 1 task of dead workers to the queue"}},
		},
		"two tasks are back, and others are not": {
			Done{Returned: 2, ReclaimFailed: "NOPERM"}, []Event{
				{Type: corev1.EventTypeWarning, Reason: "TasksReturned", Action: "Reclaim", Note: "QScaler returned 2 tasks of dead workers to the queue"},
				{Type: corev1.EventTypeWarning, Reason: ReasonReclaimFailed, Action: "Reclaim", Note: "NOPERM"},
			},
		},
		"a note of 1024 bytes is told as it is": {
			Done{ReclaimFailed: strings.Repeat("x", 1024)},
			[]Event{{Type: corev1.EventTypeWarning, Reason: ReasonReclaimFailed, Action: "Reclaim", Note: strings.Repeat("x", 1024)}},
		},
		"a longer one is cut": {
			Done{ReclaimFailed: strings.Repeat("x", 1025)},
			[]Event{{Type: corev1.EventTypeWarning, Reason: ReasonReclaimFailed, Action: "Reclaim", Note: strings.Repeat("x", 1021) + "..."}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Events(nil, nil, c.done, &Memory{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAbandoned(t *testing.T) {
	want := Event{
		Type: corev1.EventTypeWarning, Reason: "TasksAbandoned", Action: "Reclaim",
		Note: "cannot return the tasks of 2 dead workers to the queue q: no answer. Where the broker does not return them by itself, return them by hand. The workers are: a, b",
	}
	if diff := cmp.Diff(want, Abandoned("q", "no answer", []string{"a", "b"})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want.Note = "cannot look for the tasks of workers that died while no operator was running, of the queue q: NOPERM. Where the broker does not return such tasks by itself, return them by hand"
	if diff := cmp.Diff(want, SearchAbandoned("q", "NOPERM")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("worker-%d", i)
	}
	if n := len(Abandoned("q", "no answer", many).Note); n != words.MaxNote {
		t.Errorf("a note of %d bytes, want %d", n, words.MaxNote)
	}
}

// Whoever looks at the events sees when a condition turned bad, and when it was well again, and no other change.
func TestEventsTellOfChanges(t *testing.T) {
	warning := func(kind, reason string) []Event {
		return []Event{{Type: corev1.EventTypeWarning, Reason: reason, Action: "Check", Note: "after", Condition: kind}}
	}
	normal := func(kind, reason string) []Event {
		return []Event{{Type: corev1.EventTypeNormal, Reason: reason, Action: "Check", Note: "after", Condition: kind}}
	}
	type change struct {
		kind          string
		before, after string // status, blank, reason
	}
	cases := map[change][]Event{
		{v1alpha1.ConditionReady, "True Ready", "True Ready"}:                           nil,
		{v1alpha1.ConditionReady, "True Ready", "False ScalingUp"}:                      nil,
		{v1alpha1.ConditionReady, "False ScalingUp", "True Ready"}:                      nil,
		{v1alpha1.ConditionReady, "True Ready", "True Draining"}:                        nil,
		{v1alpha1.ConditionReady, "", "False ScalingUp"}:                                nil,
		{v1alpha1.ConditionReady, "False BackOff", ""}:                                  nil,
		{v1alpha1.ConditionReady, "", "False BackOff"}:                                  warning("Ready", "BackOff"),
		{v1alpha1.ConditionReady, "True Ready", "False WorkersNotReady"}:                warning("Ready", "WorkersNotReady"),
		{v1alpha1.ConditionReady, "True Ready", "False WriteFailed"}:                    warning("Ready", "WriteFailed"),
		{v1alpha1.ConditionReady, "True Ready", "False ReadFailed"}:                     warning("Ready", "ReadFailed"),
		{v1alpha1.ConditionReady, "True Ready", "False ReclaimFailed"}:                  warning("Ready", "ReclaimFailed"),
		{v1alpha1.ConditionReady, "False BackOff", "False BackOff"}:                     nil,
		{v1alpha1.ConditionReady, "False BackOff", "False WorkersNotReady"}:             warning("Ready", "WorkersNotReady"),
		{v1alpha1.ConditionReady, "False BackOff", "True Ready"}:                        normal("Ready", "Ready"),
		{v1alpha1.ConditionBrokerReachable, "True ReadSucceeded", "False Timeout"}:      warning("BrokerReachable", "Timeout"),
		{v1alpha1.ConditionBrokerReachable, "False Timeout", "True ReadSucceeded"}:      normal("BrokerReachable", "ReadSucceeded"),
		{v1alpha1.ConditionBrokerReachable, "", "Unknown NotReadYet"}:                   nil,
		{v1alpha1.ConditionReady, "False BackOff", "False ScalingUp"}:                   nil,
		{v1alpha1.ConditionReady, "False WorkersNotReady", "False ConnectionRefused"}:   nil,
		{v1alpha1.ConditionReady, "False BackOff", "False ScalerConfigNotFound"}:        nil,
		{v1alpha1.ConditionBrokerReachable, "False Timeout", "Unknown NotReadYet"}:      nil,
		{v1alpha1.ConditionProgressing, "False CanaryFailing", "True CanaryStarting"}:   nil,
		{v1alpha1.ConditionProgressing, "False CanaryFailing", "True WaitingForQuota"}:  nil,
		{v1alpha1.ConditionProgressing, "False CanaryFailing", "Unknown RolloutPaused"}: nil,
		{v1alpha1.ConditionProgressing, "True CanaryStarting", "False CanaryRefused"}:   warning("Progressing", "CanaryRefused"),
		{v1alpha1.ConditionProgressing, "False CanaryRefused", "True RollingOut"}:       normal("Progressing", "RollingOut"),
		{v1alpha1.ConditionProgressing, "True RollingOut", "True RevisionAvailable"}:    nil,
		{v1alpha1.ConditionStalled, "", "True InvalidPodSpec"}:                          warning("Stalled", "InvalidPodSpec"),
		{v1alpha1.ConditionStalled, "True InvalidPodSpec", ""}:                          nil,
		{v1alpha1.ConditionDraining, "False NoGrants", "True WaitingForWorkers"}:        nil,
		{v1alpha1.ConditionDraining, "True WaitingForWorkers", "True NotHonoured"}:      warning("Draining", "NotHonoured"),
		{v1alpha1.ConditionDraining, "True NotHonoured", "False NoGrants"}:              normal("Draining", "NoGrants"),
		{v1alpha1.ConditionRightSizing, "True RightSized", "False OutOfMemory"}:         warning("RightSizing", "OutOfMemory"),
		{v1alpha1.ConditionRightSizing, "False OutOfMemory", "True RightSized"}:         normal("RightSizing", "RightSized"),
		{v1alpha1.ConditionScalingLimited, "True AtMaximum", "False WithinRange"}:       nil,
		{v1alpha1.ConditionReconciling, "", "True ScalingUp"}:                           nil,
	}
	for c, want := range cases {
		t.Run(fmt.Sprintf("%s from %s to %s", c.kind, c.before, c.after), func(t *testing.T) {
			made := func(state, message string) []metav1.Condition {
				if state == "" {
					return nil
				}
				status, reason, _ := strings.Cut(state, " ")
				return []metav1.Condition{{Type: c.kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: message}}
			}
			if diff := cmp.Diff(want, Events(made(c.before, "before"), made(c.after, "after"), Done{}, &Memory{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What comes and goes is told once, until it is well again.
func TestEventsTellOfAFaultOnce(t *testing.T) {
	ready := func(generation int64, value bool, reason string) metav1.Condition {
		c := Is(v1alpha1.ConditionReady, value, reason, "x")
		c.ObservedGeneration = generation
		return c
	}
	var (
		starts  = ready(1, false, ReasonScalingUp)
		crashes = ready(1, false, ReasonWorkersNotReady)
		backOff = ready(1, false, ReasonBackOff)
		well    = ready(1, true, ReasonReady)
		edited  = ready(2, false, ReasonWorkersNotReady)
		starts2 = ready(2, false, ReasonScalingUp)
	)
	cases := map[string]struct {
		course []metav1.Condition
		want   []string // of each but the first
	}{
		"a crash loop":                             {[]metav1.Condition{starts, crashes, starts, crashes, starts, crashes}, []string{"Warning WorkersNotReady"}},
		"a recovery, and another crash":            {[]metav1.Condition{starts, crashes, well, crashes}, []string{"Warning WorkersNotReady", "Normal Ready", "Warning WorkersNotReady"}},
		"a recovery that takes its time":           {[]metav1.Condition{starts, crashes, starts, well, starts, well}, []string{"Warning WorkersNotReady", "Normal Ready"}},
		"another fault":                            {[]metav1.Condition{crashes, backOff, well}, []string{"Warning BackOff", "Normal Ready"}},
		"the same fault of another spec":           {[]metav1.Condition{starts, crashes, starts2, edited}, []string{"Warning WorkersNotReady", "Warning WorkersNotReady"}},
		"what an earlier leader has told is known": {[]metav1.Condition{crashes, starts, crashes, well}, []string{"Normal Ready"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var m Memory
			var got []string
			for i := range c.course[1:] {
				for _, e := range Events(c.course[i:i+1], c.course[i+1:i+2], Done{}, &m) {
					got = append(got, e.Type+" "+e.Reason)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Stalled says to other tools what another condition says to people: that is one event.
func TestEventsTellOfACauseOnce(t *testing.T) {
	after := []metav1.Condition{
		isFalse(v1alpha1.ConditionProgressing, "CanaryFailing", "exit code 3"), isTrue(v1alpha1.ConditionStalled, "CanaryFailing", "exit code 3"),
	}
	want := []Event{{Type: corev1.EventTypeWarning, Reason: "CanaryFailing", Action: "Check", Note: "exit code 3", Condition: v1alpha1.ConditionProgressing}}
	if diff := cmp.Diff(want, Events(nil, after, Done{}, &Memory{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
