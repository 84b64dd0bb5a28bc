package qworker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/internal/rightsize"
	"github.com/quickube/qscaler/worker/contract"
)

func memoryOf(q string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{"memory": resource.MustParse(q)}}
}

// sizedScope is a QWorker of 64 MiB that is right-sized and has these pods.
func sizedScope(t *testing.T, pods ...*corev1.Pod) *scope {
	t.Helper()
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Resources: memoryOf("64Mi")}}}
	clk := clocktesting.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	s := &scope{
		Reconciler: &Reconciler{clock: clk}, memory: newMemory("uid"), now: clk.Now(), qw: &v1alpha1.QWorker{}, status: &v1alpha1.QWorkerStatus{},
		revisions: []revision.Revision{{Hash: "r", Content: revision.Content{PodSpec: spec}}}, pods: pods,
	}
	s.qw.Spec.ScaleConfig.ActivateVPA = true
	s.newest = &s.revisions[0]
	s.memory.sizes = &sizeMemory{history: rightsize.NewHistory(), refused: map[string]time.Time{}}
	s.states = s.statesOf(pods)
	return s
}

// sizedPod is a pod of sizedScope whose worker does not run.
func sizedPod(name, memory string, change func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{contract.LabelPodSpecHash: "r"}},
		Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{Name: "worker", Resources: memoryOf(memory)}}},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	change(pod)
	return pod
}

func deletedBy(s *scope) []string {
	var names []string
	for _, a := range s.decision.Actions {
		if a.Kind == planner.DeleteNotRunning {
			names = append(names, a.Pod)
		}
	}
	return names
}

// A fleet whose pods find no node as they are recommended goes on growing with those of the podSpec.
func TestPodsThatNoNodeHasRoomForAreReplaced(t *testing.T) {
	unplaced := func(since time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available",
				LastTransitionTime: metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(-since)),
			}}
		}
	}
	s := sizedScope(t, sizedPod("fresh", "8Gi", unplaced(59*time.Second)), sizedPod("small", "64Mi", unplaced(time.Hour)),
		sizedPod("stuck", "8Gi", unplaced(time.Minute)), sizedPod("starting", "8Gi", func(*corev1.Pod) {}))
	s.replaceUnfit()
	if diff := cmp.Diff([]string{"stuck"}, deletedBy(s)); diff != "" {
		t.Errorf("deleted, -want +got:\n%s", diff)
	}
	if s.appliesToNew() {
		t.Error("the next pod is made in the size that finds no node")
	}
	if len(s.sizes.notes) != 1 || s.sizes.notes[0].reason != reasonSizeUnschedulable {
		t.Errorf("the events are %+v", s.sizes.notes)
	}
	if c := s.rightSizing(); c.Reason != reasonSizeUnschedulable {
		t.Errorf("the condition is %+v", c)
	}
	if want := s.now.Add(time.Second); !s.wakes.Equal(want) {
		t.Errorf("looks again at %s, want %s", s.wakes, want)
	}
	s.now = s.now.Add(refusalLasts)
	if !s.appliesToNew() {
		t.Error("the size is not tried again")
	}
}
