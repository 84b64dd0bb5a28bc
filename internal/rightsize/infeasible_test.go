package rightsize

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// A kubelet refuses a resize as a whole, and for good where the node is too small. What the node can give is
// given all the same, nothing is asked twice, and a smaller recommendation is asked at once.
func TestInfeasibleIsAskedForInParts(t *testing.T) {
	for name, tc := range map[string]struct {
		cpu, memory string // that the node has
		want        []string
		trouble     bool
	}{
		"enough":             {"4", "4Gi", []string{"2 1Gi"}, false},
		"too little cpu":     {"1", "4Gi", []string{"2 1Gi", "100m 1Gi", "2 1Gi"}, true},
		"too little memory":  {"4", "512Mi", []string{"2 1Gi", "100m 1Gi", "2 64Mi"}, true},
		"too little of both": {"1", "512Mi", []string{"2 1Gi", "100m 1Gi", "2 64Mi"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podWith("p", needs(list("cpu", "100m", "memory", "64Mi"), nil))
			has := *pod.Spec.Containers[0].Resources.DeepCopy()
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "a", Resources: &has, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
			tooMuch := TooMuch{}
			var asked []string
			settle := func(cpu string) (infeasible bool) {
				for range 10 {
					raises := Raises([]*corev1.Pod{pod}, []v1alpha1.ContainerRecommendation{recommended("a", list("cpu", cpu, "memory", "1Gi"))}, ratioKept, tooMuch, start)
					if len(raises) == 0 || len(raises[0].Containers) == 0 {
						return len(raises) > 0 && raises[0].Infeasible
					}
					pod = pod.DeepCopy()
					pod.Spec.Containers[0].Resources = raises[0].Containers["a"]
					requests := pod.Spec.Containers[0].Resources.Requests
					asked = append(asked, fmt.Sprint(requests.Cpu(), " ", requests.Memory()))
					pod.Status.Conditions = nil
					if node := list("cpu", tc.cpu, "memory", tc.memory); requests.Cpu().Cmp(node["cpu"]) > 0 || requests.Memory().Cmp(node["memory"]) > 0 {
						pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible}}
						continue
					}
					pod.Status.ContainerStatuses[0].Resources = pod.Spec.Containers[0].Resources.DeepCopy()
				}
				t.Fatalf("asks for ever: %v", asked)
				return false
			}
			if got := settle("2"); got != tc.trouble {
				t.Errorf("infeasible: %t", got)
			}
			if diff := cmp.Diff(tc.want, asked); diff != "" {
				t.Errorf("asked, -want +got:\n%s", diff)
			}
			if tc.cpu == "1" && tc.memory == "4Gi" { // the remedy, in two sizes
				asked = nil
				if settle("1") || settle("50m") {
					t.Error("there still is trouble")
				}
				if diff := cmp.Diff([]string{"1 1Gi"}, asked); diff != "" {
					t.Errorf("asked after the remedy, -want +got:\n%s", diff)
				}
			}
		})
	}
}

func TestARecommendationThatFellTakesBackWhatIsInfeasible(t *testing.T) {
	pod := podWith("p", needs(list("cpu", "3"), nil))
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "a", Resources: &corev1.ResourceRequirements{Requests: list("cpu", "1")}}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible}}
	raises := Raises([]*corev1.Pod{pod}, []v1alpha1.ContainerRecommendation{recommended("a", list("cpu", "500m"))}, ratioKept, TooMuch{}, start)
	if len(raises) != 1 || raises[0].Infeasible || readable(raises[0].Containers["a"].Requests)["cpu"] != "1" {
		t.Errorf("%+v, want the pod to ask for what it has", raises)
	}
	pod.Generation, pod.Status.Conditions[0].ObservedGeneration = 2, 1
	if got := StateOf(pod); got != InProgress {
		t.Errorf("a size that the kubelet has not looked at is %s", got)
	}
}

// What the node cannot give to a sidecar must not keep the worker from what it can.
func TestAnInfeasibleSidecarHoldsUpNobody(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	pod := podWith("p", needs(list("cpu", "100m"), nil))
	pod.Spec.InitContainers = []corev1.Container{{Name: "side", RestartPolicy: &always, Resources: needs(list("cpu", "8"), nil)}}
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "side", Resources: &corev1.ResourceRequirements{Requests: list("cpu", "100m")}}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "a", Resources: &corev1.ResourceRequirements{Requests: list("cpu", "100m")}}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonInfeasible}}
	raises := Raises([]*corev1.Pod{pod}, []v1alpha1.ContainerRecommendation{recommended("a", list("cpu", "200m"))}, ratioKept, TooMuch{}, start)
	if len(raises) != 1 || readable(raises[0].Containers["a"].Requests)["cpu"] != "200m" || readable(raises[0].Containers["side"].Requests)["cpu"] != "100m" {
		t.Errorf("%+v, want the worker to be raised and the sidecar to ask for what it has", raises)
	}
}
