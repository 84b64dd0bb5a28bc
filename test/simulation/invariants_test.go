package simulation

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

// invariants looks at each write of the operator as it happens, and at the world each second. It believes the API
// server, the broker and the processes, and nothing that the operator says.
type invariants struct {
	w          *world
	violations []string

	isDone    map[int]bool
	doneCount int
	names     map[string]bool // of every pod ever
	readyEver map[string]bool // hashes of revisions
	// away is since when the broker is away, zero while it is there.
	away time.Time
	// deletedByUs has the pods whose deletion the operator asked for.
	deletedByUs map[string]bool
	// grants counts those of scale-downs in this reconciliation.
	grants int
	// counts of what has happened, so that a simulation in which nothing does is seen to be one.
	granted, withdrawn, published, signalled int
}

func newInvariants(w *world) *invariants {
	return &invariants{
		w: w, isDone: map[int]bool{}, names: map[string]bool{}, readyEver: map[string]bool{}, deletedByUs: map[string]bool{},
	}
}

// violated notes that something does not hold. Several goroutines may call it: the operator writes in parallel.
func (i *invariants) violated(format string, args ...any) {
	i.violations = append(i.violations, fmt.Sprintf("second %d: ", i.w.tick)+fmt.Sprintf(format, args...))
}

func (i *invariants) pushed(int) {}

func (i *invariants) ready(hash string) { i.readyEver[hash] = true }

func (i *invariants) done(id int) {
	if i.isDone[id] {
		i.violated("task %d is done twice", id)
	}
	i.isDone[id] = true
	i.doneCount++
}

func (i *invariants) outage(away bool) {
	switch {
	case !away:
		i.away = time.Time{}
	case i.away.IsZero():
		i.away = time.Now()
	}
}

// killed notes that a worker's grace period was over before its task was.
func (i *invariants) killed(pod *corev1.Pod, p *process) {
	if i.deletedByUs[pod.Name] && p.left > 0 && p.hangs == 0 {
		i.violated("worker %s was interrupted by the operator: %s", pod.Name, p)
	}
}

// created checks a new pod.
func (i *invariants) created(object client.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	i.w.lock.Lock()
	defer i.w.lock.Unlock()
	i.w.note("create %s of %s", pod.Name, fleet.RevisionOf(pod))
	if i.names[pod.Name] {
		i.violated("the name %s is used twice", pod.Name)
	}
	i.names[pod.Name] = true
	owner := i.w.server.get(qworkers, fleetName.Name).(*v1alpha1.QWorker)
	if owner.DeletionTimestamp != nil && i.w.viewed().DeletionTimestamp != nil {
		i.violated("pod %s is created for a QWorker that is being deleted", pod.Name)
	}
	capacity, beyond := 0, 0
	for _, p := range i.w.states(i.w.server.list(pods)) {
		if isLive(p) && p.Grant.Reason == "" && !p.Lost {
			capacity++
		}
		if p.NodeLeaving {
			beyond = 1 // a canary, should the replacements not come up
		}
	}
	if most := max(mostPods(owner), mostPods(i.w.viewed())) + beyond; capacity > most {
		i.violated("%d pods without a grant after the creation of %s, at most %d may be", capacity, pod.Name, most)
	}
}

// mostPods is maxReplicas and the surge.
func mostPods(q *v1alpha1.QWorker) int {
	most := int(q.Spec.ScaleConfig.MaxReplicas)
	surge, err := intstr.GetScaledValueFromIntOrPercent(q.Spec.Rollout.MaxSurge, most, true)
	if err != nil {
		panic(err) // the world sets none that is wrong
	}
	return most + surge
}

func isLive(p planner.Pod) bool { return p.Phase == planner.Pending || p.Phase == planner.Running }

// patched checks what was written to an object.
func (i *invariants) patched(before, after client.Object) {
	i.w.lock.Lock()
	defer i.w.lock.Unlock()
	switch after := after.(type) {
	case *corev1.Pod:
		i.annotated(before.(*corev1.Pod), after)
	case *v1alpha1.QWorker:
		i.reported(before.(*v1alpha1.QWorker), after)
	}
}

func (i *invariants) annotated(before, after *corev1.Pod) {
	from, to := before.Annotations[contract.AnnotationDrain], after.Annotations[contract.AnnotationDrain]
	if from == to {
		return
	}
	i.w.note("the drain annotation of %s: %q, was %q", after.Name, to, from)
	switch contract.Reason(to) {
	case "":
		i.withdrawn++
		// The last reading before the outage may still be acted on; it was good.
		const detected = 15 * time.Second
		if !i.away.IsZero() && time.Since(i.away) > detected {
			i.violated("the grant of %s is withdrawn while the broker is away", after.Name)
		}
		return
	case contract.ReasonScaleDown:
		i.grants++
	case contract.ReasonDelete:
		return
	}
	i.granted++
	if !i.away.IsZero() {
		i.violated("%s is granted leave for %s while the broker is away", after.Name, to)
	}
}

func (i *invariants) reported(before, after *v1alpha1.QWorker) {
	from, to := before.Status.CurrentPodSpecHash, after.Status.CurrentPodSpecHash
	if !equality.Semantic.DeepEqual(before.Status, after.Status) {
		i.w.note("status: desired %d, current %d, replicas %d, hash %s", after.Status.DesiredReplicas, after.Status.CurrentReplicas, after.Status.Replicas, to)
	}
	if from == to {
		return
	}
	i.published++
	if i.readyEver[to] || !i.readyEver[from] {
		return
	}
	for _, p := range i.w.states(byName(i.w.view.objects[pods])) {
		now, there := i.w.server.get(pods, p.Name).(*corev1.Pod) // the operator knows of its own writes before the cache does
		letGo := i.deletedByUs[p.Name] || (there && now.Annotations[contract.AnnotationDrain] != "")
		if p.Phase == planner.Running && p.Grant.Reason == "" && !p.Lost && !letGo {
			i.violated("revision %s is published, no pod of it was ever ready, and %s is at work", to, p.Name)
		}
	}
}

// deleted checks the deletion of a pod: no worker that runs is deleted, unless it is told by SIGTERM.
func (i *invariants) deleted(object client.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	i.w.lock.Lock()
	defer i.w.lock.Unlock()
	i.w.note("delete %s", pod.Name)
	p := i.w.processes[pod.UID]
	if p == nil || pod.DeletionTimestamp != nil {
		return
	}
	i.deletedByUs[pod.Name] = true
	switch {
	case p.stage != running:
	case i.w.signal:
		i.signalled++
		if !i.away.IsZero() && !i.w.deleting() {
			i.violated("%s is told to leave while the broker is away", pod.Name)
		}
	default:
		i.violated("%s is deleted while its worker runs: %s", pod.Name, p)
	}
}

// beforeReconcile begins a new account.
func (i *invariants) beforeReconcile() { i.grants = 0 }

// afterReconcile checks that those who were granted leave really were too many, by all that the operator could
// know: the queue as it is, and the pods that it saw or should have seen.
func (i *invariants) afterReconcile() {
	if i.grants == 0 {
		return
	}
	seen := map[string]planner.Pod{}
	for _, p := range i.w.states(byName(i.w.view.objects[pods])) {
		seen[p.Name] = p
	}
	waiting, held := i.w.queues.depth(queue)
	demand, capacity := waiting, 0
	for _, p := range i.w.states(i.w.server.list(pods)) {
		shown := seen[p.Name]
		delete(seen, p.Name)
		if p.Grant.Reason != "" {
			continue
		}
		if isLive(p) || (shown.Name != "" && isLive(shown)) {
			capacity++
		}
		if isLive(p) {
			demand += held[p.Name]
		}
	}
	for _, p := range seen { // gone, and the operator cannot know
		if isLive(p) && p.Grant.Reason == "" {
			capacity++
		}
	}
	q := i.w.viewed()
	desired := min(max(demand, int(q.Spec.ScaleConfig.MinReplicas)), int(q.Spec.ScaleConfig.MaxReplicas))
	if capacity < desired {
		i.violated("%d were granted leave to scale down, and at most %d are left of %d that the queue asks for", i.grants, capacity, desired)
	}
}

// everySecond checks that no task is lost.
func (i *invariants) everySecond() {
	where := map[int]bool{}
	for _, id := range i.w.queues.all() {
		if where[id] || i.isDone[id] {
			i.violated("task %d is there twice, or still there and done: %t", id, i.isDone[id])
		}
		where[id] = true
	}
	if len(where)+i.doneCount != i.w.pushed {
		i.violated("%d tasks are pushed, %d are done and %d are there", i.w.pushed, i.doneCount, len(where))
	}
	if alive := i.w.queues.reclaimedAlive; len(alive) > 0 {
		i.violated("the tasks of %s were given back while its worker was alive", strings.Join(alive, ", "))
	}
}
