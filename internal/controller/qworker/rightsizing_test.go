package qworker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/metricsapi"
)

// installMetricsAPI makes the API server store PodMetrics under the path at which a metrics-server serves them.
func (c *cluster) installMetricsAPI() {
	c.Helper()
	if err := metricsapi.Install(c.Context(), shared.Config()); err != nil {
		c.Fatal(err)
	}
}

// removeMetricsAPI takes back what a test before has installed.
func (c *cluster) removeMetricsAPI() {
	c.Helper()
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	crd.SetName("pods.metrics.k8s.io")
	if err := c.Delete(c.Context(), crd); client.IgnoreNotFound(err) != nil {
		c.Fatal(err)
	}
}

// use says what the containers of a pod use: use(pod, "worker", "300m", "200Mi").
func (c *cluster) use(pod string, usage ...string) {
	c.Helper()
	var containers []any
	for i := 0; i < len(usage); i += 3 {
		containers = append(containers, map[string]any{"name": usage[i], "usage": map[string]any{"cpu": usage[i+1], "memory": usage[i+2]}})
	}
	metrics := &unstructured.Unstructured{Object: map[string]any{
		"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "window": "15s", "containers": containers,
	}}
	metrics.SetGroupVersionKind(schema.GroupVersionKind{Group: "metrics.k8s.io", Version: "v1beta1", Kind: "PodMetrics"})
	metrics.SetNamespace(c.namespace)
	metrics.SetName(pod)
	err := c.Apply(c.Context(), client.ApplyConfigurationFromUnstructured(metrics), client.FieldOwner("test"), client.ForceOwnership)
	if err != nil {
		c.Fatal(err)
	}
}

func requests(cpu, memory string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu), "memory": resource.MustParse(memory)}}
}

func (q qw) sized(r corev1.ResourceRequirements) qw {
	q.Spec.ScaleConfig.ActivateVPA = true
	q.Spec.PodSpec.Containers[0].Resources = r
	return q
}

func shown(l corev1.ResourceList) string {
	return fmt.Sprintf("%s %s", l.Cpu().String(), l.Memory().String())
}

// awaitSize waits until the pods' worker container requests what is wanted.
func (c *cluster) awaitSize(worker string, n int, want string) []corev1.Pod {
	c.Helper()
	var pods []corev1.Pod
	c.eventually(fmt.Sprintf("%d pods of %s", n, want), func() string {
		pods = c.pods(worker)
		sizes := map[string]int{}
		for _, p := range pods {
			sizes[shown(p.Spec.Containers[0].Resources.Requests)]++
		}
		if sizes[want] != n {
			return fmt.Sprintf("there are %v", sizes)
		}
		return ""
	})
	return pods
}

// The ends of the buckets of 0.3 cores and 200 MiB, and 15 %.
const usedSize = "352m 237Mi"

func TestWorkersGetWhatTheyUse(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.installMetricsAPI()
	q := makeQWorker("w").replicas(1, 10).sized(requests("100m", "64Mi"))
	q.Spec.PodSpec.Containers[0].Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("128Mi")}
	c.create(c.scalerConfig("config"), q)
	running := c.awaitPods("w", 1)
	c.run(running...)
	c.awaitCondition("w", v1alpha1.ConditionRightSizing, metav1.ConditionUnknown, "WaitingForUsage")

	c.use(running[0].Name, "worker", "300m", "200Mi", "injected", "2", "2Gi")
	raised := c.awaitSize("w", 1, usedSize)[0]
	if raised.UID != running[0].UID || raised.Spec.Containers[0].Resources.Limits.Memory().String() != "474Mi" {
		t.Errorf("the pod %s has %+v, want it raised in place with twice the memory as its limit", raised.Name, raised.Spec.Containers[0].Resources)
	}
	c.awaitCondition("w", v1alpha1.ConditionRightSizing, metav1.ConditionTrue, "RightSized")
	c.push(q.queueName(), 2)
	fresh := c.awaitSize("w", 2, usedSize)
	for _, pod := range fresh {
		if diff := cmp.Diff([]corev1.ContainerResizePolicy{
			{ResourceName: "cpu", RestartPolicy: corev1.NotRequired}, {ResourceName: "memory", RestartPolicy: corev1.NotRequired},
		}, pod.Spec.Containers[0].ResizePolicy); diff != "" {
			t.Errorf("resize policy of %s, -want +got:\n%s", pod.Name, diff)
		}
	}
	c.run(fresh...)
	c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "RevisionAvailable")
	st := c.status("w")
	if len(st.MaxContainerResourcesUsage) != 1 || shown(st.MaxContainerResourcesUsage[0].Usage) != "300m 200Mi" {
		t.Errorf("the most used is %+v, want the worker's alone", st.MaxContainerResourcesUsage)
	}
	if st.UpdatedReplicas != 2 || st.DrainingReplicas != 0 {
		t.Errorf("%d pods are of the newest revision and %d have a grant, want a pod that was raised to be like any other", st.UpdatedReplicas, st.DrainingReplicas)
	}
	if r := st.Recommendations; len(r) != 1 || r[0].Name != "worker" || r[0].Reason != "Usage" || shown(r[0].Requests) != usedSize {
		t.Errorf("recommended is %+v", r)
	}
	c.eventually("events of what changed", func() string {
		told := map[string]string{}
		for _, e := range c.events() {
			told[e.Reason] = e.Note
		}
		if !strings.Contains(told["Recommended"], "cpu 352m, memory 237Mi") || !strings.Contains(told["Resized"], running[0].Name) {
			return fmt.Sprint(told)
		}
		return ""
	})
}

func TestWhatWasLearnedOutlivesTheOperator(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.installMetricsAPI()
	q := makeQWorker("w").replicas(1, 10).sized(requests("100m", "64Mi"))
	c.create(c.scalerConfig("config"), q)
	pod := c.awaitPods("w", 1)[0]
	c.run(pod)
	c.use(pod.Name, "worker", "300m", "200Mi")
	c.awaitSize("w", 1, usedSize)
	c.kill(pod.Name, "237Mi")
	c.awaitSize("w", 1, "352m 337Mi") // 100 MiB more than it had
	var before []v1alpha1.ContainerRecommendation
	c.eventually("the status says so", func() string { // it is written after the pods
		if before = c.status("w").Recommendations; len(before) == 0 {
			return "none"
		}
		if got := shown(before[0].Requests); got != "352m 337Mi" {
			return got
		}
		return ""
	})
	c.stop()

	c.use(pod.Name, "worker", "10m", "10Mi")
	c.startOperator()
	c.push(q.queueName(), 2)
	c.awaitSize("w", 2, "352m 337Mi")
	if diff := cmp.Diff(before[0].Since, c.status("w").Recommendations[0].Since); diff != "" {
		t.Errorf("recommended since, -before +after:\n%s", diff)
	}
	if got := shown(c.status("w").MaxContainerResourcesUsage[0].Usage); got != "300m 200Mi" {
		t.Errorf("the most used is %s", got)
	}
}

// kill ends a pod's worker out of memory, of which it had as much; it has been started again since.
func (c *cluster) kill(name, had string) {
	c.Helper()
	c.eventually("killing "+name, func() string {
		var pod corev1.Pod
		if err := c.Get(c.Context(), client.ObjectKey{Namespace: c.namespace, Name: name}, &pod); err != nil {
			return err.Error()
		}
		status := &pod.Status.ContainerStatuses[0]
		status.RestartCount = 1
		status.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{"memory": resource.MustParse(had)}}
		status.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}
		if err := c.Status().Update(c.Context(), &pod); err != nil {
			return err.Error()
		}
		return ""
	})
}

// A task that kills whichever worker takes it does not make all of them huge.
func TestPoisonIsCapped(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.installMetricsAPI()
	q := makeQWorker("w").replicas(6, 6).sized(requests("100m", "256Mi"))
	q.Spec.RightSizing = &v1alpha1.RightSizingSpec{Mode: v1alpha1.RightSizingInitial}
	c.create(c.scalerConfig("config"), q)
	pods := c.awaitPods("w", 6)
	c.run(pods...)
	// Each has what the one before taught.
	sizes := []string{"256Mi", "356Mi", "556Mi", "779Mi"}
	for i, had := range sizes {
		c.kill(pods[i].Name, had)
		if i == len(sizes)-1 {
			break
		}
		c.eventually("the kill is counted", func() string {
			if r := c.status("w").Recommendations; len(r) != 1 || r[0].Requests.Memory().String() != sizes[i+1] {
				return fmt.Sprintf("recommended is %+v, want %s", r, sizes[i+1])
			}
			return ""
		})
	}
	condition := c.awaitCondition("w", v1alpha1.ConditionRightSizing, metav1.ConditionFalse, "OutOfMemory")
	if !strings.Contains(condition.Message, pods[3].Name) {
		t.Errorf("the condition does not name pod %s: %s", pods[3].Name, condition.Message)
	}

	c.stop()
	if err := c.Patch(c.Context(), q.QWorker, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"scaleConfig":{"maxReplicas":7}}}`))); err != nil {
		t.Fatal(err)
	}
	c.startOperator()
	c.eventually("the next operator has looked at it", func() string {
		told := meta.FindStatusCondition(c.status("w").Conditions, v1alpha1.ConditionRightSizing)
		if told.ObservedGeneration == condition.ObservedGeneration {
			return "it has not"
		}
		if told.Reason != condition.Reason || told.Message != condition.Message {
			t.Errorf("after a restart it is %s: %s; want %s: %s", told.Reason, told.Message, condition.Reason, condition.Message)
		}
		return ""
	})
}

func TestRefusedSizesFallBackToTheTemplate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bound client.Object
		words string
	}{
		"a quota": {&corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "q"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"requests.memory": resource.MustParse("200Mi")}},
		}, "exceeded quota"},
		"a limit range": {&corev1.LimitRange{
			ObjectMeta: metav1.ObjectMeta{Name: "l"},
			Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{"memory": resource.MustParse("128Mi")}}}},
		}, "maximum memory usage"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.installMetricsAPI()
			r := requests("100m", "64Mi")
			r.Limits = corev1.ResourceList{"memory": resource.MustParse("64Mi")}
			q := makeQWorker("w").replicas(1, 10).sized(r)
			c.create(c.scalerConfig("config"), q)
			pod := c.awaitPods("w", 1)[0]
			c.run(pod)
			c.create(tc.bound)
			if quota, ok := tc.bound.(*corev1.ResourceQuota); ok { // the quota controller's work
				quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{"requests.memory": resource.MustParse("64Mi")}}
				if err := c.Status().Update(c.Context(), quota); err != nil {
					t.Fatal(err)
				}
			}
			c.settleAdmission(pod)

			c.use(pod.Name, "worker", "90m", "200Mi")
			refused := c.awaitCondition("w", v1alpha1.ConditionRightSizing, metav1.ConditionFalse, "ResizeRefused")
			if !strings.Contains(refused.Message, tc.words) {
				t.Errorf("the message has not the API server's words: %s", refused.Message)
			}
			c.push(q.queueName(), 2)
			c.awaitSize("w", 2, "100m 64Mi")
			c.awaitCondition("w", v1alpha1.ConditionRightSizing, metav1.ConditionFalse, "SizeRefused")
		})
	}
}

// settleAdmission waits until the API server refuses a pod that is too large: its admission reads from a cache.
func (c *cluster) settleAdmission(like corev1.Pod) {
	c.Helper()
	c.eventually("a bound that is enforced", func() string {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, GenerateName: "probe-"}, Spec: *like.Spec.DeepCopy()}
		for _, l := range []corev1.ResourceList{pod.Spec.Containers[0].Resources.Requests, pod.Spec.Containers[0].Resources.Limits} {
			l["memory"] = resource.MustParse("1Ti")
		}
		err := c.Create(c.Context(), pod, client.DryRunAll)
		if apierrors.IsForbidden(err) {
			return ""
		}
		return fmt.Sprintf("a pod of 1 TiB is answered with %v", err)
	})
}

func TestModeOffRecommendsOnly(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.installMetricsAPI()
	q := makeQWorker("w").replicas(1, 10).sized(requests("100m", "64Mi"))
	q.Spec.RightSizing = &v1alpha1.RightSizingSpec{Mode: v1alpha1.RightSizingOff}
	c.create(c.scalerConfig("config"), q)
	pod := c.awaitPods("w", 1)[0]
	c.run(pod)
	c.use(pod.Name, "worker", "300m", "200Mi")
	c.awaitCondition("w", v1alpha1.ConditionRightSizing, metav1.ConditionTrue, "Recommended")
	c.push(q.queueName(), 3)
	c.awaitSize("w", 3, "100m 64Mi")

	// activateVPA: false always wins.
	var stored v1alpha1.QWorker
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: c.namespace, Name: "w"}, &stored); err != nil {
		t.Fatal(err)
	}
	off := stored.DeepCopy()
	off.Spec.RightSizing.Mode = v1alpha1.RightSizingInPlace
	off.Spec.ScaleConfig.ActivateVPA = false
	if err := c.Patch(context.Background(), off, client.MergeFrom(&stored)); err != nil {
		t.Fatal(err)
	}
	c.eventually("nothing is recommended", func() string {
		if st := c.status("w"); len(st.Recommendations) > 0 {
			return fmt.Sprintf("%+v", st.Recommendations)
		}
		return ""
	})
}

// Kills are in the first list that an operator sees, and kills that it has counted are not counted anew.
func TestKillsWhileTheOperatorWasAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.installMetricsAPI()
	q := makeQWorker("w").replicas(1, 10).sized(requests("100m", "256Mi"))
	q.Spec.RightSizing = &v1alpha1.RightSizingSpec{ControlledResources: []corev1.ResourceName{"memory"}}
	c.create(c.scalerConfig("config"), q)
	pod := c.awaitPods("w", 1)[0]
	c.run(pod)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	c.stop()
	c.kill(pod.Name, "256Mi")
	c.startOperator()
	c.awaitSize("w", 1, "100m 356Mi")
	c.stop()
	c.startOperator()
	c.push(q.queueName(), 2)
	c.awaitSize("w", 2, "100m 356Mi")
}

// Without a metrics API workers come and go as ever, and the condition says how to get one. It does not run
// in parallel: the others install the API.
func TestWithoutMetricsWorkersAreScaled(t *testing.T) {
	c := newCluster(t)
	c.removeMetricsAPI()
	q := makeQWorker("w").sized(requests("100m", "64Mi"))
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 3)
	c.run(c.awaitSize("w", 3, "100m 64Mi")...)
	condition := c.awaitCondition("w", v1alpha1.ConditionRightSizing, metav1.ConditionFalse, "MetricsUnavailable")
	if !strings.Contains(condition.Message, "install the metrics-server: kubectl apply -f https://") {
		t.Errorf("the condition does not say how: %s", condition.Message)
	}
	c.do("DEL", q.queueName())
	c.awaitGrants("w", 3)
}
