package node_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"

	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/local/metricsapi"
	"github.com/quickube/qscaler/local/node"
)

// hold makes a shell hold 100 MB.
const hold = `held=$(head -c 100000000 /dev/zero | tr '\0' a); echo held ${#held}; sleep 1000`

func limitedTo(memory string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"memory": resource.MustParse(memory), "cpu": resource.MustParse("1")}
	}
}

func TestMemoryAboveTheLimitIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pod := w.run(hold, limitedTo("64Mi"))
	killed := w.await(pod, "killed out of memory", func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].LastTerminationState.Terminated != nil
	})
	if end := killed.Status.ContainerStatuses[0].LastTerminationState.Terminated; end.Reason != "OOMKilled" || end.ExitCode != 137 {
		t.Errorf("it ended as %s with %d, want OOMKilled with 137", end.Reason, end.ExitCode)
	}
	// After a raise in place, the container may use what it needs, without a restart. The new limit holds.
	raise := `{"spec":{"containers":[{"name":"worker","resources":{"requests":{"memory":"512Mi"},"limits":{"memory":"512Mi"}}}]}}`
	_, err := w.api.CoreV1().Pods(w.namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, []byte(raise), metav1.PatchOptions{}, "resize")
	if err != nil {
		t.Fatal(err)
	}
	w.awaitLog(pod, "held 100000000")
}

func TestUsageIsTold(t *testing.T) {
	t.Parallel()
	if err := metricsapi.Install(t.Context(), shared.Config()); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *node.Options) { o.MetricsInterval = 200 * time.Millisecond })
	api, err := discovery.NewDiscoveryClientForConfig(shared.Config())
	if err != nil {
		t.Fatal(err)
	}
	read := podmetrics.FromAPI(api.RESTClient())
	pod := w.run(hold, func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, shell("busy", "while :; do :; done"))
	})
	var last map[string]podmetrics.Pod
	await := func(what string, is func(podmetrics.Pod, bool) bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, waitLimit, true, func(ctx context.Context) (bool, error) {
			var err error
			last, err = read(ctx, w.namespace)
			used, told := last[pod.Name]
			return err == nil && is(used, told), nil
		})
		if err != nil {
			t.Fatalf("%s: %+v", what, last)
		}
	}
	await("100 MB in one container, some CPU in the other", func(p podmetrics.Pod, _ bool) bool {
		held, _ := p.Of("worker")
		busy, _ := p.Of("busy")
		return held.Memory.Value() >= 100e6 && held.Memory.Value() < 300e6 && busy.CPU.MilliValue() > 50 && busy.Memory.Value() < 20e6
	})
	if err := w.api.CoreV1().Pods(w.namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await("nothing of a pod that has gone", func(_ podmetrics.Pod, told bool) bool { return !told })
}
