package qworker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
)

// report tells, as events, what was done and why, and what has begun or ceased to be wrong. One event for
// each kind of action and reason, not one for each pod: a thousand would be dropped.
func (s *scope) report(ctx context.Context) {
	log := ctrl.LoggerFrom(ctx)
	for _, g := range grouped(s.done) {
		log.Info(string(g.kind), "pods", g.pods, "why", g.why)
		s.recorder.Eventf(s.qw, s.first(g), corev1.EventTypeNormal, string(g.kind), string(g.kind), "%s", g.String())
	}
	s.reportSizes()
	if s.returned > 0 {
		s.recorder.Eventf(s.qw, nil, corev1.EventTypeWarning, "TasksReturned", "Reclaim",
			"%d tasks of workers that are no more were given back to the queue", s.returned)
	}
	if s.reclaimErr != nil {
		s.recorder.Eventf(s.qw, nil, corev1.EventTypeWarning, reasonReclaimFailed, "Reclaim", "%s", shorten(s.reclaimErr.Error()))
	}
	for _, kind := range []string{v1alpha1.ConditionBrokerReachable, v1alpha1.ConditionProgressing, v1alpha1.ConditionStalled, v1alpha1.ConditionDraining, v1alpha1.ConditionReady, v1alpha1.ConditionRightSizing} {
		s.reportChange(log, kind)
	}
}

// first is the first pod of a group, as the event's related object. Without one, client-go takes the second
// decision of a kind for a repetition of the first, whatever its note says, and its reason is never seen.
func (s *scope) first(g *group) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.qw.Namespace, Name: g.pods[0]}}
}

// reportChange reports a condition that has turned bad, or has become good again after it was bad.
func (s *scope) reportChange(log logr.Logger, kind string) {
	before := meta.FindStatusCondition(s.base.Status.Conditions, kind)
	after := meta.FindStatusCondition(s.status.Conditions, kind)
	if after == nil || (before != nil && before.Status == after.Status && before.Reason == after.Reason) {
		return
	}
	switch {
	case isBad(after):
		log.Info("Trouble", "condition", kind, "reason", after.Reason, "message", after.Message)
		s.recorder.Eventf(s.qw, nil, corev1.EventTypeWarning, after.Reason, "Check", "%s", shorten(after.Message))
	case before != nil && isBad(before):
		log.Info("Recovered", "condition", kind, "reason", after.Reason, "message", after.Message)
		s.recorder.Eventf(s.qw, nil, corev1.EventTypeNormal, after.Reason, "Check", "%s", shorten(after.Message))
	}
}

// isBad reports whether a condition asks for a person.
func isBad(c *metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionStalled:
		return c.Status == metav1.ConditionTrue
	case v1alpha1.ConditionDraining:
		return c.Reason == reasonNotHonoured
	case v1alpha1.ConditionReady:
		return slices.Contains([]string{reasonReadFailed, reasonWriteFailed, reasonBackOff, reasonWorkersNotReady, reasonReclaimFailed}, c.Reason)
	default:
		return c.Status == metav1.ConditionFalse
	}
}

// maxNote is the length of an event's note that the API server accepts.
const maxNote = 1024

func shorten(note string) string { return shortened(note, maxNote) }

// shortened cuts a text off at a length in bytes, and no character in two.
func shortened(text string, most int) string {
	const dots = "..."
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len(dots)], "") + dots
}

// group is what was done alike.
type group struct {
	kind planner.Kind
	why  string
	pods []string
}

func (g group) String() string {
	noun := "pods"
	if len(g.pods) == 1 {
		noun = "pod"
	}
	return shorten(fmt.Sprintf("%s (%d %s: %s)", g.why, len(g.pods), noun, andMore(g.pods)))
}

func grouped(done []planner.Action) []*group {
	var groups []*group
	find := func(a planner.Action) *group {
		for _, g := range groups {
			if g.kind == a.Kind && g.why == a.Why {
				return g
			}
		}
		g := &group{kind: a.Kind, why: a.Why}
		groups = append(groups, g)
		return g
	}
	for _, a := range done {
		if a.Kind == planner.Remove {
			continue // that a pod which has left is cleared away is nobody's news
		}
		g := find(a)
		g.pods = append(g.pods, a.Pod)
	}
	return groups
}
