package qworker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
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
	r := &Reconciler{}
	r.clock, r.metrics = clk, newMetrics(prometheus.NewRegistry())
	s := &scope{
		Reconciler: r, memory: newMemory("uid"), now: clk.Now(), qw: &v1alpha1.QWorker{}, status: &v1alpha1.QWorkerStatus{},
		revisions: []revision.Revision{{Hash: "r", Content: revision.Content{PodSpec: spec}}}, pods: pods,
	}
	s.qw.Spec.ScaleConfig.ActivateVPA = true
	s.newest = &s.revisions[0]
	s.memory.sizes = &sizeMemory{history: rightsize.NewHistory(), refused: map[string]time.Time{}, tooMuch: rightsize.TooMuch{}}
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
	made := func(since time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			metav1.SetMetaDataAnnotation(&p.ObjectMeta, annotationSized, "worker")
			unplaced(since)(p)
		}
	}
	s := sizedScope(t, sizedPod("fresh", "8Gi", made(placedWithin-time.Second)), sizedPod("small", "64Mi", made(time.Hour)),
		sizedPod("stuck", "8Gi", made(placedWithin)), sizedPod("starting", "8Gi", func(*corev1.Pod) {}),
		sizedPod("by-a-limit-range", "8Gi", unplaced(time.Hour)))
	s.sizes.policy = rightsize.PolicyOf(&v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{RightSizing: &v1alpha1.RightSizingSpec{Mode: v1alpha1.RightSizingOff}}})
	s.replaceUnfit()
	if got := deletedBy(s); len(got) > 0 || len(s.sizes.notes) > 0 {
		t.Errorf("in mode Off %v are deleted, and %v is said", got, s.sizes.notes)
	}
	s.sizes.policy = rightsize.Policy{}
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

// resizes is a discovery of a cluster that resizes running pods, or does not.
type resizes bool

func (r resizes) ServerResourcesForGroupVersion(string) (*metav1.APIResourceList, error) {
	l := &metav1.APIResourceList{}
	if r {
		l.APIResources = []metav1.APIResource{{Name: "pods/resize"}}
	}
	return l, nil
}

func (resizes) ServerPreferredResources() ([]*metav1.APIResourceList, error) { return nil, nil }

func (resizes) ServerPreferredNamespacedResources() ([]*metav1.APIResourceList, error) {
	return nil, nil
}

func (resizes) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return nil, nil, nil
}

// A worker that is killed out of memory and cannot be raised where it is would crash for ever.
func TestKilledPodsThatCannotBeRaisedAreReplaced(t *testing.T) {
	killed := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	enacted := memoryOf("64Mi")
	for name, tc := range map[string]struct {
		mode    v1alpha1.RightSizingMode
		cluster resizes
		state   corev1.ContainerState
		memory  string
		change  func(*corev1.Pod)
		want    []string
	}{
		"in mode Initial":          {mode: v1alpha1.RightSizingInitial, cluster: true, state: waits, memory: "64Mi", want: []string{"p"}},
		"where the cluster cannot": {cluster: false, state: waits, memory: "64Mi", want: []string{"p"}},
		"where it has just ended":  {cluster: false, state: killed, memory: "64Mi", want: []string{"p"}},
		"where a raise would restart it": {cluster: true, state: waits, memory: "64Mi", want: []string{"p"}, change: func(p *corev1.Pod) {
			p.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: "memory", RestartPolicy: corev1.RestartContainer}}
		}},
		"where the node is too small": {cluster: true, state: waits, memory: "64Mi", want: []string{"p"}, change: func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible}}
		}},
		"not where it is raised in place": {cluster: true, state: waits, memory: "64Mi"},
		"not while it runs":               {cluster: false, state: runs, memory: "64Mi"},
		"not with the new size":           {cluster: false, state: waits, memory: "164Mi"},
		"not in mode Off":                 {mode: v1alpha1.RightSizingOff, cluster: true, state: waits, memory: "64Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := sizedPod("p", tc.memory, func(p *corev1.Pod) {
				p.Status.Phase = corev1.PodRunning
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: tc.state, LastTerminationState: killed, Resources: &enacted}}
				if tc.change != nil {
					tc.change(p)
				}
			})
			s := sizedScope(t, pod)
			s.sizes.policy = rightsize.PolicyOf(&v1alpha1.QWorker{Spec: v1alpha1.QWorkerSpec{RightSizing: &v1alpha1.RightSizingSpec{Mode: tc.mode}}})
			s.resizable = fleet.NewResizable(tc.cluster)
			s.countKills(s.memory.sizes, []string{"worker"})
			s.refreshRecommendations(s.memory.sizes, []string{"worker"})
			s.replaceUnfit()
			if diff := cmp.Diff(tc.want, deletedBy(s)); diff != "" {
				t.Errorf("deleted, -want +got:\n%s", diff)
			}
		})
	}
}
