package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// world is everything that there is.
type world struct {
	*rand.Rand
	seed      uint64
	began     time.Time
	tick      int
	server    *apiServer
	queues    *queues
	faults    *faults
	watch     *invariants
	view      *view
	operator  *operator
	processes map[types.UID]*process
	// made are all pods that were ever made, as they were then.
	made []*corev1.Pod
	// signal is true where workers leave on SIGTERM alone.
	signal bool
	// oneTask is true where workers end by themselves after their task, or after some seconds without one.
	oneTask bool
	// blind is for how many seconds the cache hears of nothing.
	blind int
	// away is for how many seconds the operator cannot reach the API server.
	away           int
	pushed, images int
	restarts       int
	// isCalm is true once all trouble has ended.
	isCalm  bool
	history []string
}

func newWorld(seed uint64) *world {
	utilrand.Seed(int64(seed)) //nolint:gosec // any seed will do
	w := &world{
		Rand: rand.New(rand.NewPCG(seed, 1)), seed: seed, began: time.Now(), server: newAPIServer(), queues: newQueues(),
		processes: map[types.UID]*process{}, images: 1,
	}
	w.watch = newInvariants(w)
	w.faults = &faults{seed: seed, attempts: map[string]int{}, log: w.note}
	w.queues.alive = w.isAlive
	w.signal = w.oneIn(4)
	for _, name := range nodeNames {
		w.must(w.server.create(newNode(name)))
	}
	w.must(w.server.create(&v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: fleetName.Namespace, Name: "broker"},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "broker", Port: ptr.To(intstr.FromInt32(6379)),
		}},
	}))
	w.must(w.server.create(w.fleet()))
	w.startOperator(newView(w.server))
	return w
}

func (w *world) must(_ client.Object, err error) {
	if err != nil {
		panic(err)
	}
}

// minReady is how long a canary has to be ready.
const minReady = 3 * time.Second

// fleet is the QWorker as the user makes it.
func (w *world) fleet() *v1alpha1.QWorker {
	q := &v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Namespace: fleetName.Namespace, Name: fleetName.Name},
		Spec: v1alpha1.QWorkerSpec{
			PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "good:1"}}},
			ScaleConfig: v1alpha1.ScaleConfig{
				ScalerConfigRef: "broker", Queue: queue, MaxReplicas: 10, ScaleDownDelay: &metav1.Duration{Duration: 5 * time.Second},
			},
			Rollout: &v1alpha1.RolloutSpec{
				MaxSurge: ptr.To(intstr.FromString("25%")), MaxUnavailable: ptr.To(intstr.FromInt32(0)),
				MinReadySeconds: ptr.To(int32(minReady.Seconds())), ProgressDeadlineSeconds: ptr.To[int32](60), RevisionHistoryLimit: ptr.To[int32](2),
			},
		},
	}
	if w.signal {
		q.Spec.Drain = &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: 2 * time.Minute}}
	}
	if w.oneTask {
		q.Spec.Drain = &v1alpha1.DrainSpec{EndsAfterTask: true}
		q.Spec.ScaleConfig.MaxReplicas, q.Spec.Rollout.MinReadySeconds = 2, ptr.To[int32](10)
	}
	if w.isCalm {
		q.Spec.ScaleConfig.MinReplicas = 2
		q.Spec.PodSpec.Containers[0].Image = fmt.Sprintf("good:%d", w.images)
	}
	return q
}

// second is one second of everything.
func (w *world) second() {
	w.faults.begin(w.tick, w.away > 0)
	w.work()
	w.queues.deliverRings()
	w.watch.everySecond()
	w.collectGarbage()
	w.recreate()
	w.tell()
	until := time.Now().Add(time.Second)
	for time.Now().Before(until) {
		w.operator.run(until, w.watch.beforeReconcile, w.watch.afterReconcile)
		if w.faults.isCrashed() {
			w.restart()
		}
	}
	w.tick++
}

// tell brings news to the operator's cache, or not.
func (w *world) tell() {
	share := 1.0
	if w.blind > 0 {
		w.blind--
		share = w.Float64() / 2
	}
	if w.away > 0 {
		w.away--
		return
	}
	for _, k := range kinds {
		if w.view.catchUp(k, share) {
			w.operator.wake()
		}
	}
}

// restart replaces the operator's process by another: one that has just begun, or one that has stood by, whose cache
// does not show yet what the one before it has written. Neither leads before it reaches the API server.
func (w *world) restart() {
	w.operator.stop()
	w.faults.mu.Lock()
	w.faults.crash, w.faults.crashed, w.faults.away = "", false, false
	w.faults.mu.Unlock()
	w.away = 0
	w.restarts++
	w.watch.asked.restarted(w.qworker())
	standby := w.oneIn(2)
	w.note("another operator takes over, it has stood by: %t", standby)
	if standby {
		w.startOperator(w.view)
	} else {
		w.startOperator(newView(w.server))
	}
}

// edit changes the QWorker as a user does.
func (w *world) edit(change func(*v1alpha1.QWorker)) {
	old := w.qworker()
	if old == nil {
		return
	}
	q := old.DeepCopy()
	change(q)
	q.Generation++
	w.server.replace(q)
}

// collectGarbage removes what was made for a QWorker that is gone.
func (w *world) collectGarbage() {
	for _, object := range w.server.list(revisions) {
		if q := w.qworker(); q == nil || !metav1.IsControlledBy(object, q) {
			w.server.take(object)
		}
	}
}

// recreate makes another QWorker of the same name, some time after the last one is gone.
func (w *world) recreate() {
	if w.qworker() != nil {
		return
	}
	w.watch.checkGone()
	if w.oneIn(5) {
		clear(w.watch.steady)
		w.must(w.server.create(w.fleet()))
		w.note("another QWorker is created")
	}
}

// qworker is what the API server has, nil when it is gone.
func (w *world) qworker() *v1alpha1.QWorker {
	q, _ := w.server.get(qworkers, fleetName.Name).(*v1alpha1.QWorker)
	return q
}

// viewed is the QWorker as the operator sees it.
func (w *world) viewed() *v1alpha1.QWorker {
	q, _ := w.view.objects[qworkers][fleetName.Name].(*v1alpha1.QWorker)
	return q
}

func (w *world) deleting() bool {
	q := w.qworker()
	return q == nil || q.DeletionTimestamp != nil
}

// stateOf is where a pod stands, by the nodes of the API server or of the cache.
func stateOf(pod client.Object, get func(kind, string) client.Object) planner.Pod {
	p := fleet.StateOf(pod.(*corev1.Pod), "worker")
	if node, ok := get(nodes, pod.(*corev1.Pod).Spec.NodeName).(*corev1.Node); ok {
		state := fleet.StateOfNode(node, nil)
		p.Unreachable, p.NodeLeaving = p.Unreachable || state.Unreachable, state.Leaving
	}
	return p
}

// states is where pods stand, on nodes that are unreachable or leave or of which the cache says so.
func (w *world) states(list []client.Object) []planner.Pod {
	states := make([]planner.Pod, len(list))
	for i, object := range list {
		shown := stateOf(object, w.view.get)
		states[i] = stateOf(object, w.server.get)
		states[i].Unreachable = states[i].Unreachable || shown.Unreachable
		states[i].NodeLeaving = states[i].NodeLeaving || shown.NodeLeaving
	}
	return states
}

func (w *world) now() time.Time { return time.Now() }

func graceOf(pod *corev1.Pod) time.Duration {
	return time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
}

// note adds a line to the history: the second, the exact time, and what happened.
func (w *world) note(format string, args ...any) {
	at := time.Since(w.began).Seconds()
	w.history = append(w.history, fmt.Sprintf("%5d %14.9f  ", w.tick, at)+fmt.Sprintf(format, args...))
}

// settle waits until something holds, for so many seconds at the most, and returns what is missing.
func (w *world) settle(seconds int, missing func() string) string {
	for range seconds {
		if missing() == "" {
			return ""
		}
		w.second()
		if len(w.watch.violations) > 0 {
			return strings.Join(w.watch.violations, "\n")
		}
	}
	return missing()
}

// fail ends a test with what a person needs.
func (w *world) fail(t *testing.T, format string, args ...any) {
	t.Helper()
	const lines = 80
	var b strings.Builder
	for _, object := range w.server.list(pods) {
		fmt.Fprintf(&b, "%s %s: %s; %+v\n", object.GetName(), object.GetUID(), w.processes[object.GetUID()], w.states([]client.Object{object}))
	}
	waiting, held := w.queues.depth(queue)
	t.Fatalf("%s\n%s\n\nwaiting %d, held %v\n%s\n%s", fmt.Sprintf(format, args...),
		strings.Join(w.history[max(len(w.history)-lines, 0):], "\n"), waiting, held, b.String(), pretty(w.qworker()))
}

// calm ends all trouble, with a revision that works.
func (w *world) calm() {
	w.faults.oneIn, w.faults.crash, w.blind, w.away = 0, "", 0, 0
	w.queues.mu.Lock()
	w.queues.deaf = false
	w.queues.mu.Unlock()
	w.setOutage(false, false)
	for _, name := range nodeNames {
		node := w.server.get(nodes, name).DeepCopyObject().(*corev1.Node)
		node.Spec.Unschedulable, node.Spec.Taints = false, nil
		w.server.replace(node)
	}
	w.images++
	w.isCalm = true
	w.edit(func(q *v1alpha1.QWorker) { q.Spec = w.fleet().Spec })
	w.note("calm")
}

// unsettled says what keeps the fleet from being what the spec says.
func (w *world) unsettled() string {
	if w.deleting() {
		return "the QWorker is being deleted"
	}
	q := w.qworker()
	image := imageOfSpec(q)
	if w.watch.doneCount != w.pushed {
		return fmt.Sprintf("%d of %d tasks are done", w.watch.doneCount, w.pushed)
	}
	at := int32(0)
	for _, object := range w.server.list(pods) {
		pod := object.(*corev1.Pod)
		p := fleet.StateOf(pod, "worker")
		if p.Phase == planner.Left && !p.Failure.At.IsZero() {
			continue // kept for diagnosis
		}
		if at++; pod.Spec.Containers[0].Image != image || p.Grant.Reason != "" || !p.Ready {
			return fmt.Sprintf("there is %+v of %s", p, pod.Spec.Containers[0].Image)
		}
	}
	// Workers that nobody has seen at a task are not told to end by SIGTERM: they may be at one. The QWorker says so.
	unseen := w.signal && meta.IsStatusConditionFalse(q.Status.Conditions, v1alpha1.ConditionTasksSeen)
	if least := q.Spec.ScaleConfig.MinReplicas; at < least || at > least && !unseen {
		return fmt.Sprintf("there are %d workers", at)
	}
	st := q.Status
	shown := []int32{st.CurrentReplicas, st.Replicas, st.UpdatedReplicas, st.ReadyReplicas}
	if st.DesiredReplicas != q.Spec.ScaleConfig.MinReplicas || slices.ContainsFunc(shown, func(n int32) bool { return n != at }) || st.DrainingReplicas+st.TerminatingReplicas > 0 {
		return "the status is not true"
	}
	return ""
}
