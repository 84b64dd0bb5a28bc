package rightsize

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/propertytest"
)

var (
	ratioKept  = Policy{}
	limitsKept = Policy{spec: v1alpha1.RightSizingSpec{ControlledValues: v1alpha1.RequestsOnly}}
)

func TestFit(t *testing.T) {
	for name, tc := range map[string]struct {
		have             corev1.ResourceRequirements
		want             corev1.ResourceList
		policy           Policy
		requests, limits map[string]string
	}{
		"a limit keeps its ratio":                {needs(list("memory", "256Mi"), list("memory", "512Mi")), list("memory", "356Mi"), ratioKept, map[string]string{"memory": "356Mi"}, map[string]string{"memory": "712Mi"}},
		"a limit alone is the request too":       {needs(nil, list("cpu", "1")), list("cpu", "1500m"), ratioKept, map[string]string{"cpu": "1500m"}, map[string]string{"cpu": "1500m"}},
		"what has no limit gets none":            {needs(list("cpu", "100m"), nil), list("cpu", "250m", "memory", "64Mi"), ratioKept, map[string]string{"cpu": "250m", "memory": "64Mi"}, nil},
		"a request of 0 has no ratio":            {needs(list("cpu", "0"), list("cpu", "1")), list("cpu", "2"), ratioKept, map[string]string{"cpu": "2"}, map[string]string{"cpu": "2"}},
		"a kept limit bounds the request":        {needs(list("memory", "256Mi"), list("memory", "300Mi")), list("memory", "400Mi"), limitsKept, map[string]string{"memory": "300Mi"}, map[string]string{"memory": "300Mi"}},
		"other resources are left alone":         {needs(list("cpu", "1", "nvidia.com/gpu", "1"), list("nvidia.com/gpu", "1")), list("cpu", "2"), ratioKept, map[string]string{"cpu": "2", "nvidia.com/gpu": "1"}, map[string]string{"nvidia.com/gpu": "1"}},
		"one resource does not touch the other":  {needs(list("cpu", "1", "memory", "1Gi"), list("cpu", "2", "memory", "2Gi")), list("cpu", "500m"), ratioKept, map[string]string{"cpu": "500m", "memory": "1Gi"}, map[string]string{"cpu": "1", "memory": "2Gi"}},
		"a limit is rounded up, not below":       {needs(list("cpu", "3m"), list("cpu", "10m")), list("cpu", "4m"), ratioKept, map[string]string{"cpu": "4m"}, map[string]string{"cpu": "14m"}},
		"a limit of many times the request":      {needs(list("memory", "512m"), list("memory", "8Gi")), list("memory", "1"), ratioKept, map[string]string{"memory": "1"}, map[string]string{"memory": "8Gi"}},
		"a limit that no number has room for":    {needs(list("memory", "512m"), list("memory", "8Gi")), list("memory", "1100Mi"), ratioKept, map[string]string{"memory": "1100Mi"}, map[string]string{"memory": "9223372036854775807"}},
		"a limit of the largest number":          {needs(list("memory", "1"), list("memory", "4611686018427387903")), list("memory", "2"), ratioKept, map[string]string{"memory": "2"}, map[string]string{"memory": "9223372036854775806"}},
		"a limit of one more":                    {needs(list("memory", "1"), list("memory", "4611686018427387904")), list("memory", "2"), ratioKept, map[string]string{"memory": "2"}, map[string]string{"memory": "9223372036854775807"}},
		"a limit beyond all numbers":             {needs(list("memory", "1Gi"), list("memory", "10E")), list("memory", "1Gi"), ratioKept, map[string]string{"memory": "1Gi"}, map[string]string{"memory": "9223372036854775807"}},
		"a CPU limit beyond all numbers":         {needs(list("cpu", "1"), list("cpu", "1E")), list("cpu", "1"), ratioKept, map[string]string{"cpu": "1"}, map[string]string{"cpu": "9223372036854775807m"}},
		"nothing recommended is nothing changed": {needs(list("cpu", "3m"), nil), nil, ratioKept, map[string]string{"cpu": "3m"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			original := tc.have.DeepCopy()
			got := Fit(tc.have, tc.want, tc.policy)
			if diff := cmp.Diff([]map[string]string{tc.requests, tc.limits}, []map[string]string{readable(got.Requests), readable(got.Limits)}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !equal(*original, tc.have) {
				t.Error("what it was given has changed")
			}
		})
	}
}

func podWith(name string, resources ...corev1.ResourceRequirements) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	for i, r := range resources {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: string(rune('a' + i)), Resources: r})
	}
	return pod
}

func recommended(name string, requests corev1.ResourceList) v1alpha1.ContainerRecommendation {
	return v1alpha1.ContainerRecommendation{Name: name, Requests: requests}
}

func TestClassOfService(t *testing.T) {
	both := list("cpu", "1", "memory", "1Gi")
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want corev1.PodQOSClass
	}{
		"nothing":                         {podWith("p", needs(nil, nil)), corev1.PodQOSBestEffort},
		"zeros":                           {podWith("p", needs(list("cpu", "0"), nil)), corev1.PodQOSBestEffort},
		"requests":                        {podWith("p", needs(both, nil)), corev1.PodQOSBurstable},
		"limits":                          {podWith("p", needs(nil, both)), corev1.PodQOSGuaranteed},
		"limits like requests":            {podWith("p", needs(both, both)), corev1.PodQOSGuaranteed},
		"one of two containers":           {podWith("p", needs(both, both), needs(nil, nil)), corev1.PodQOSBurstable},
		"limits of one resource of two":   {podWith("p", needs(nil, list("cpu", "1"))), corev1.PodQOSBurstable},
		"requests below limits somewhere": {podWith("p", needs(both, both), needs(list("cpu", "500m", "memory", "1Gi"), both)), corev1.PodQOSBurstable},
	} {
		t.Run(name, func(t *testing.T) {
			if got := classOf(&tc.pod.Spec); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestFitPod(t *testing.T) {
	both := list("cpu", "1", "memory", "1Gi")
	wants := []v1alpha1.ContainerRecommendation{recommended("a", list("cpu", "500m", "memory", "512Mi")), recommended("gone", both)}
	for name, tc := range map[string]struct {
		pod     *corev1.Pod
		policy  Policy
		want    map[string]string
		blocked bool
	}{
		"burstable stays so":                    {podWith("p", needs(both, nil)), ratioKept, map[string]string{"cpu": "500m", "memory": "512Mi"}, false},
		"guaranteed stays so":                   {podWith("p", needs(both, both)), ratioKept, map[string]string{"cpu": "500m", "memory": "512Mi"}, false},
		"guaranteed is not to become burstable": {podWith("p", needs(both, both)), limitsKept, map[string]string{"cpu": "1", "memory": "1Gi"}, true},
		"a new pod without any gets requests":   {podWith("p", needs(nil, nil)), ratioKept, map[string]string{"cpu": "500m", "memory": "512Mi"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, blocked := FitPod(&tc.pod.Spec, wants, tc.policy)
			if (blocked != "") != tc.blocked {
				t.Errorf("blocked: %q", blocked)
			}
			if diff := cmp.Diff(tc.want, readable(tc.pod.Spec.Containers[0].Resources.Requests)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRaises(t *testing.T) {
	both := list("cpu", "1", "memory", "1Gi")
	want := []v1alpha1.ContainerRecommendation{recommended("a", list("cpu", "2", "memory", "512Mi"))}
	edit := func(pod *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod { change(pod); return pod }
	pending := func(reason string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason}}
		}
	}
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		policy Policy
		want   map[string]string

		unsupported bool
	}{
		"what is less is raised, what is more is not lowered": {pod: podWith("p", needs(both, nil)), want: map[string]string{"cpu": "2", "memory": "1Gi"}},
		"not by a tenth":               {pod: podWith("p", needs(list("cpu", "1900m"), nil))},
		"not without any requests":     {pod: podWith("p", needs(nil, nil))},
		"not what it does not request": {pod: podWith("p", needs(list("memory", "1Gi"), nil))},
		"not while it starts":          {pod: edit(podWith("p", needs(both, nil)), func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending })},
		"not while it is deleted":      {pod: edit(podWith("p", needs(both, nil)), func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} })},
		"not where it would restart": {pod: edit(podWith("p", needs(both, nil)), func(p *corev1.Pod) {
			p.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: "cpu", RestartPolicy: corev1.RestartContainer}}
		})},
		"not where the node is too small": {pod: edit(podWith("p", needs(both, nil)), pending("Infeasible"))},
		"again where it waits for room":   {pod: edit(podWith("p", needs(both, nil)), pending("Deferred")), want: map[string]string{"cpu": "2", "memory": "1Gi"}},
		"not on a node that cannot, and it is told": {pod: edit(podWith("p", needs(both, nil)), func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "a", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		}), want: map[string]string{"cpu": "2", "memory": "1Gi"}, unsupported: true},
		"not out of its class": {pod: podWith("p", needs(list("cpu", "1", "memory", "1Gi"), list("cpu", "2", "memory", "1Gi"))), policy: limitsKept},
	} {
		t.Run(name, func(t *testing.T) {
			raises := Raises([]*corev1.Pod{tc.pod}, want, tc.policy, TooMuch{}, start)
			var got map[string]string
			if len(raises) > 0 {
				got = readable(raises[0].Containers["a"].Requests)
				if raises[0].Unsupported != tc.unsupported {
					t.Errorf("unsupported: %t", raises[0].Unsupported)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTheKilledAreRaisedFirst(t *testing.T) {
	both := list("cpu", "1")
	killed := podWith("z", needs(both, nil))
	killed.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "a", LastTerminationState: terminated("OOMKilled", 137)}}
	longAgo := killed.DeepCopy()
	longAgo.Name = "y"
	longAgo.Status.ContainerStatuses[0].LastTerminationState.Terminated.FinishedAt = metav1.NewTime(start.Add(-2 * time.Hour))
	var got []string
	for _, r := range Raises([]*corev1.Pod{longAgo, podWith("c", needs(both, nil)), podWith("b", needs(both, nil)), killed}, []v1alpha1.ContainerRecommendation{recommended("a", list("cpu", "2"))}, ratioKept, TooMuch{}, start) {
		got = append(got, r.Pod)
	}
	if diff := cmp.Diff([]string{"z", "b", "c", "y"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOrdinaryInitContainersAreNotRaised(t *testing.T) {
	small := needs(list("memory", "64Mi"), nil)
	pod := podWith("p", small)
	pod.Spec.InitContainers = []corev1.Container{{Name: "init", Resources: small}, {Name: "sidecar", Resources: small, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	var recs []v1alpha1.ContainerRecommendation
	for _, name := range []string{"a", "init", "sidecar"} {
		recs = append(recs, recommended(name, list("memory", "164Mi")))
	}
	raised := slices.Sorted(maps.Keys(Raises([]*corev1.Pod{pod}, recs, ratioKept, TooMuch{}, start)[0].Containers))
	if diff := cmp.Diff([]string{"a", "sidecar"}, raised); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Each reconciliation looks at all pods, and mostly there is nothing to raise.
func TestNothingToRaiseCostsNothing(t *testing.T) {
	pods := []*corev1.Pod{podWith("p", needs(list("cpu", "1", "memory", "256Mi"), list("memory", "256Mi")))}
	recs := []v1alpha1.ContainerRecommendation{recommended("a", list("cpu", "1", "memory", "256Mi"))}
	if n := testing.AllocsPerRun(100, func() { Raises(pods, recs, ratioKept, nil, start) }); n > 2 {
		t.Errorf("%g allocations a pod", n)
	}
}

// The last step below maxAllowed may be small.
func TestTheKilledGetWhatIsLeft(t *testing.T) {
	killed := podWith("p", needs(list("memory", "480Mi"), nil))
	killed.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "a", LastTerminationState: terminated("OOMKilled", 137)}}
	for _, pod := range []*corev1.Pod{killed, podWith("p", needs(list("memory", "480Mi"), nil))} {
		raises := Raises([]*corev1.Pod{pod}, []v1alpha1.ContainerRecommendation{recommended("a", list("memory", "512Mi"))}, ratioKept, TooMuch{}, start)
		if got := len(raises) == 1; got != (pod == killed) {
			t.Errorf("killed: %t, raised: %t", pod == killed, got)
		}
	}
}

// Whatever a container has and is recommended, its request stays at or below its limit, and a raise lowers nothing.
func TestFitBounds(t *testing.T) {
	quantity := func(t *rapid.T, label string) corev1.ResourceList {
		l := corev1.ResourceList{}
		for _, name := range resources {
			if rapid.Bool().Draw(t, label+" has "+string(name)) {
				l[name] = quantityOf(name, rapid.OneOf(rapid.Int64Range(0, 1<<44), rapid.Int64Range(0, math.MaxInt64)).Draw(t, label+" "+string(name)))
			}
		}
		return l
	}
	propertytest.Check(t, func(t *rapid.T) {
		have := needs(quantity(t, "request"), quantity(t, "limit"))
		for name, limit := range have.Limits {
			if request, ok := have.Requests[name]; ok && request.Cmp(limit) > 0 {
				have.Requests[name] = limit
			}
		}
		want := quantity(t, "want")
		policy := ratioKept
		if rapid.Bool().Draw(t, "limits kept") {
			policy = limitsKept
		}
		fitted := Fit(have, want, policy)
		for name, limit := range fitted.Limits {
			if request := fitted.Requests[name]; request.Cmp(limit) > 0 {
				t.Fatalf("%s: request %s above limit %s", name, request.String(), limit.String())
			}
		}
		pod := podWith("p", have)
		for _, r := range Raises([]*corev1.Pod{pod}, []v1alpha1.ContainerRecommendation{recommended("a", want)}, policy, TooMuch{}, start) {
			raised := r.Containers["a"]
			for _, name := range resources {
				was, is := requested(have, name), requested(raised, name)
				limit, raisedLimit := have.Limits[name], raised.Limits[name]
				if is.Cmp(was) < 0 || raisedLimit.Cmp(limit) < 0 {
					t.Fatalf("%s was lowered: %s/%s to %s/%s", name, was.String(), limit.String(), is.String(), raisedLimit.String())
				}
			}
			after := podWith("p", raised)
			if classOf(&after.Spec) != classOf(&pod.Spec) {
				t.Fatal("the class of service has changed")
			}
		}
	})
}
