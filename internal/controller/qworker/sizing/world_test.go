package sizing

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/podmetrics"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is one QWorker of 64 MiB that is right-sized, and everybody who is asked about it, or told to do something.
type world struct {
	sizer    *Sizer
	memory   Memory
	fleet    Fleet
	registry *prometheus.Registry

	// answer is the metrics API's; asked and forgotten count the calls.
	answer           podmetrics.Snapshot
	asked, forgotten int
	// saves are the patches of the QWorker; saving answers them by their number, from 0 on.
	saves  []string
	saving func(n int) error
	// resized are the pods that were resized, in order; resizing answers for a pod.
	mu       sync.Mutex
	resized  []string
	resizing func(pod string) (bool, error)
	// cannot is true where the cluster resizes no running pod; discovery is why that is not known.
	cannot    bool
	discovery error
	discovers int
}

func newWorld(t *testing.T, pods ...*corev1.Pod) *world {
	t.Helper()
	w := &world{registry: prometheus.NewRegistry()}
	w.sizer = New(Options{Client: w, Usage: w, Pods: w, Cluster: cluster{w}, Metrics: w.registry})
	w.fleet = Fleet{
		QWorker: &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "w", UID: "uid", ResourceVersion: "7"}},
		Newest:  template("64Mi"), Pods: pods, Now: noon,
	}
	w.fleet.QWorker.Spec.ScaleConfig.ActivateVPA = true
	return w
}

// mode changes where a recommendation goes.
func (w *world) mode(m v1alpha1.RightSizingMode) {
	w.fleet.QWorker.Spec.RightSizing = &v1alpha1.RightSizingSpec{Mode: m}
}

// recommended says what the status recommends for the worker.
func (w *world) recommended(memory string) {
	w.fleet.QWorker.Status.Recommendations = []v1alpha1.ContainerRecommendation{{Name: "worker", Requests: memoryOf(memory).Requests, Reason: "Usage", Samples: 1}}
}

// round is the next one, a while later. What it says of the status stands in the status from then on.
func (w *world) round(t *testing.T, after time.Duration) Round {
	t.Helper()
	w.fleet.Now = w.fleet.Now.Add(after)
	r := w.sizer.Recommend(t.Context(), &w.memory, w.fleet)
	w.fleet.QWorker.Status.Recommendations, w.fleet.QWorker.Status.MaxContainerResourcesUsage = r.Recommendations, r.MostUsed
	return r
}

// expectRecheck wants a round to look again in so long, 0 for never.
func (w *world) expectRecheck(t *testing.T, r *Round, in time.Duration) {
	t.Helper()
	want := time.Time{}
	if in > 0 {
		want = w.fleet.Now.Add(in)
	}
	if !r.RecheckAt.Equal(want) {
		t.Errorf("looks again at %s, want %s", r.RecheckAt, want)
	}
}

// taken is who was resized since the last time.
func (w *world) taken() []string {
	taken := w.resized
	w.resized = nil
	return taken
}

// itsName is the QWorker's; nobody knows another.
var itsName = types.NamespacedName{Namespace: "n", Name: "w"}

func (w *world) Ask(of types.NamespacedName) podmetrics.Snapshot {
	if of != itsName {
		return podmetrics.Snapshot{Err: errNo}
	}
	w.asked++
	return w.answer
}

func (w *world) Forget(of types.NamespacedName) {
	if of == itsName {
		w.forgotten++
	}
}

func (w *world) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
	if client.ObjectKeyFromObject(o) != itsName {
		return errNo
	}
	data, err := p.Data(o)
	if err != nil {
		return err
	}
	w.saves = append(w.saves, string(data))
	if w.saving != nil {
		if err := w.saving(len(w.saves) - 1); err != nil {
			return err
		}
	}
	o.SetResourceVersion("8")
	return nil
}

func (w *world) Resize(_ context.Context, _ *v1alpha1.QWorker, pod *corev1.Pod, _ map[string]corev1.ResourceRequirements) (bool, error) {
	w.mu.Lock()
	w.resized = append(w.resized, pod.Name)
	w.mu.Unlock()
	if w.resizing != nil {
		return w.resizing(pod.Name)
	}
	return true, nil
}

type cluster struct{ *world }

func (c cluster) Ask() (bool, error) {
	c.discovers++
	return !c.cannot && c.discovery == nil, c.discovery
}

func memoryOf(q string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{"memory": resource.MustParse(q)}}
}

func template(memory string) *corev1.PodSpec {
	return &corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Resources: memoryOf(memory)}}}
}

// sizedPod is a pod whose worker does not run.
func sizedPod(name, memory string, changes ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: template(memory).Containers},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	for _, change := range changes {
		change(pod)
	}
	return pod
}

// runningPod runs with 64 MiB, and asks for as much as memory says.
func runningPod(name, memory string, conditions ...corev1.PodCondition) *corev1.Pod {
	return sizedPod(name, memory, func(p *corev1.Pod) {
		has := memoryOf("64Mi")
		p.Status.Phase, p.Status.Conditions = corev1.PodRunning, conditions
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, Resources: &has}}
	})
}

// notRunning is a pod as Unfit wants to know it, of the template of 64 MiB.
func notRunning(pod *corev1.Pod) NotRunning {
	return NotRunning{Pod: pod, Worker: "worker", Template: template("64Mi")}
}

var errNo = errors.New("no")

// failsFor is an answer that fails for one pod.
func failsFor(pod, fails string) error {
	if pod == fails {
		return errNo
	}
	return nil
}

// withSide gives the podSpec a second container of 64 MiB.
func (w *world) withSide() {
	w.fleet.Newest.Containers = append(w.fleet.Newest.Containers, corev1.Container{Name: "side", Resources: memoryOf("64Mi")})
}

// uses says what one container of each pod uses, measured at a time and read now.
func (w *world) uses(at time.Time, memory string, pods ...string) {
	w.answer = podmetrics.Snapshot{ReadAt: w.fleet.Now, Pods: map[string]podmetrics.Pod{}}
	for _, pod := range pods {
		w.answer.Pods[pod] = podmetrics.Pod{Time: at, Containers: []podmetrics.Container{use("worker", "100m", memory)}}
	}
}

// allowAtMost bounds the memory of all containers.
func allowAtMost(memory string) *v1alpha1.RightSizingSpec {
	most := resource.MustParse(memory)
	return &v1alpha1.RightSizingSpec{MaxAllowed: map[string]v1alpha1.AllowedResources{v1alpha1.AnyContainer: {Memory: &most}}}
}

func maxAllowed(memory string) func(*world) {
	return func(w *world) { w.fleet.QWorker.Spec.RightSizing = allowAtMost(memory) }
}
