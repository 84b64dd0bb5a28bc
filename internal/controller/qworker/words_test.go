package qworker

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// holding is a reconciliation that sees one worker with a grant, at so many tasks.
func holding(tasks int64, since time.Time) *scope {
	return reconciled(func(s *scope) {
		s.rollsOutFirst(true)
		s.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		s.pods[0].Name = "w"
		s.states[0].Grant = planner.Grant{Reason: "ScaleDown", Since: since}
		s.reading = backlog.Reading{Known: true, Depth: broker.Depth{Held: map[string]int64{"w": tasks}}}
	})
}

func TestABusyHolderHonoursItsGrant(t *testing.T) {
	s := holding(1, time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC))
	if c := s.draining(); c.Reason != reasonWaiting {
		t.Errorf("at its task: %s", c.Reason)
	}
	s.reading.Depth.Held["w"] = 0
	if c := s.draining(); c.Reason != reasonWaiting {
		t.Errorf("a moment after its task: %s", c.Reason)
	}
	s.now = s.now.Add(notHonouredAfter)
	if c := s.draining(); c.Reason != reasonNotHonoured {
		t.Errorf("10 minutes after its task: %s", c.Reason)
	}
}

func TestAGrantOfUnknownAgeHasNone(t *testing.T) {
	if c := holding(0, time.Time{}).draining(); c.Reason != reasonWaiting || !strings.Contains(c.Message, "since when is not known") {
		t.Errorf("%s: %s", c.Reason, c.Message)
	}
}

// With SIGTERM as with a grant: whoever looks must see who is waited for, and since when.
func TestWorkersThatFinishTheirTaskOnSIGTERMAreShown(t *testing.T) {
	s := holding(1, time.Time{})
	asked := time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC)
	const grace = 8 * 3600
	pod := s.pods[0]
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = new(metav1.NewTime(asked.Add(grace*time.Second))), new(int64(grace))
	s.states[0].Phase, s.states[0].Grant = planner.Terminating, planner.Grant{}
	if c := s.draining(); c.Reason != reasonNoGrants {
		t.Errorf("its worker does not run: %s", c.Reason)
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: s.workerOf(pod), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	const want = "1 worker has leave to go once their task is done: w; the oldest since 2026-01-02T01:00:00Z (SIGTERM)"
	if c := s.draining(); c.Reason != reasonWaiting || c.Status != metav1.ConditionTrue || c.Message != want {
		t.Errorf("%s %s: %s", c.Status, c.Reason, c.Message)
	}
}

func TestDeletingNamesLostPods(t *testing.T) {
	s := holding(0, time.Time{})
	s.pods[0].Spec.NodeName, s.states[0].Lost = "n1", true
	for _, words := range []string{"pod w on node n1", "kubectl delete pod NAME --force"} {
		if got := s.deletingMessage(nil); !strings.Contains(got, words) {
			t.Errorf("the message has not %q: %s", words, got)
		}
	}
}

func TestReadyCountsWhoCannotBeScheduled(t *testing.T) {
	s := reconciled(func(s *scope) {
		s.rollsOutFirst(true)
		s.pods = append(s.pods, &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable"}}}})
		s.states = append(s.states, planner.Pod{Name: "v", Revision: "r1"})
		s.status.DesiredReplicas, s.status.Replicas = 2, 2
	})
	if c := s.ready(nil); c.Reason != reasonWorkersNotReady || !strings.HasSuffix(c.Message, "; 1 of 2 cannot be scheduled") {
		t.Errorf("%s: %s", c.Reason, c.Message)
	}
}

// A pod that tolerates the first of two marks has to learn of the second.
func TestASecondMarkWakes(t *testing.T) {
	node := func(keys ...string) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		for _, key := range keys {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
		}
		return n
	}
	one, two := node(corev1.TaintNodeUnschedulable), node(corev1.TaintNodeUnschedulable, "karpenter.sh/disrupted")
	if fleet.NodeMarks(one) == fleet.NodeMarks(two) || fleet.NodeMarks(node("other")) != "" {
		t.Errorf("the marks are %q and %q, and %q of another taint", fleet.NodeMarks(one), fleet.NodeMarks(two), fleet.NodeMarks(node("other")))
	}
}
