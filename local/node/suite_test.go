package node_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/node"
)

// waitLimit is far more than anything here takes, for a busy machine.
const waitLimit = 30 * time.Second

var shared *controlplane.ControlPlane

func TestMain(m *testing.M) {
	if os.Getenv(victimKubeconfig) != "" {
		os.Exit(victim())
	}
	os.Exit(controlplanetest.Run(m, func(c *controlplane.ControlPlane) { shared = c }))
}

// world is one test's node, and a namespace for its pods. A label tells nodes apart.
type world struct {
	*node.Node
	t         *testing.T
	api       kubernetes.Interface
	namespace string
	options   node.Options
	stop      func()
}

func newWorld(t *testing.T, edit ...func(*node.Options)) *world {
	t.Helper()
	name := strings.ToLower(t.Name())
	serving, err := shared.KubeletConfig()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, namespace: controlplanetest.Namespace(t, shared), options: node.Options{
		Config: shared.Config(), Name: name, Labels: map[string]string{"test": name}, Dir: t.TempDir(), Log: testr.New(t),
		CrashBackOff: 100 * time.Millisecond, MaxCrashBackOff: time.Second, Serving: serving,
	}}
	for _, e := range edit {
		e(&w.options)
	}
	if w.api, err = kubernetes.NewForConfig(w.options.Config); err != nil {
		t.Fatal(err)
	}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	w.t.Helper()
	n, err := node.New(w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Node = n
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	stopped := false
	w.stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			w.t.Errorf("the node: %v", err)
		}
	}
}

// run creates a pod with one container that runs a shell script.
func (w *world) run(script string, edit ...func(*corev1.Pod)) *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "p-"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyOnFailure,
			NodeSelector:  map[string]string{"test": w.options.Name},
			Containers:    []corev1.Container{shell("worker", script)},
		},
	}
	for _, e := range edit {
		e(pod)
	}
	pod, err := w.api.CoreV1().Pods(w.namespace).Create(w.t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return pod
}

func shell(name, script string) corev1.Container {
	return corev1.Container{Name: name, Image: "shell", Command: []string{"sh", "-c", script}}
}

// await waits until the pod is as described, and returns it.
func (w *world) await(pod *corev1.Pod, what string, is func(*corev1.Pod) bool) *corev1.Pod {
	w.t.Helper()
	var last *corev1.Pod
	err := wait.PollUntilContextTimeout(w.t.Context(), 10*time.Millisecond, waitLimit, true, func(ctx context.Context) (bool, error) {
		p, err := w.api.CoreV1().Pods(w.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return false, nil
		}
		last = p
		return is(p), nil
	})
	if err != nil {
		w.t.Fatalf("pod %s is not %s: %v\nits status: %+v\nits log: %s", pod.Name, what, err, last.Status, w.log(pod))
	}
	return last
}

func (w *world) awaitPhase(pod *corev1.Pod, phase corev1.PodPhase) *corev1.Pod {
	w.t.Helper()
	return w.await(pod, string(phase), func(p *corev1.Pod) bool { return p.Status.Phase == phase })
}

func (w *world) awaitGone(pod *corev1.Pod) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.t.Context(), 10*time.Millisecond, waitLimit, true, func(ctx context.Context) (bool, error) {
		_, err := w.api.CoreV1().Pods(w.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		return err != nil, nil
	})
	if err != nil {
		w.t.Fatalf("pod %s is still there", pod.Name)
	}
}

func (w *world) log(pod *corev1.Pod) string {
	data, _ := os.ReadFile(w.LogPath(pod.Namespace, pod.Name, pod.Spec.Containers[0].Name))
	return string(data)
}

func (w *world) awaitLog(pod *corev1.Pod, want string) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.t.Context(), 5*time.Millisecond, waitLimit, true, func(context.Context) (bool, error) {
		return strings.Contains(w.log(pod), want), nil
	})
	if err != nil {
		w.t.Fatalf("the log of pod %s has not %q: %q", pod.Name, want, w.log(pod))
	}
}

func (w *world) annotate(pod *corev1.Pod, key, value string) {
	w.t.Helper()
	w.patch(pod, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value))
}

func (w *world) patch(pod *corev1.Pod, patch string) {
	w.t.Helper()
	_, err := w.api.CoreV1().Pods(w.namespace).Patch(w.t.Context(), pod.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) delete(pod *corev1.Pod, grace int64) {
	w.t.Helper()
	err := w.api.CoreV1().Pods(w.namespace).Delete(w.t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
	if err != nil {
		w.t.Fatal(err)
	}
}

func worker(p *corev1.Pod) corev1.ContainerStatus {
	if len(p.Status.ContainerStatuses) == 0 {
		return corev1.ContainerStatus{}
	}
	return p.Status.ContainerStatuses[0]
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
