package simulation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
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
	// moves is true where the fleet moves from queue to queue: how many workers there may be is then not looked at.
	moves bool

	isDone    map[int]bool
	doneCount int
	names     map[string]bool // of every pod ever
	steady    map[string]bool // hashes of revisions that have had a pod that was ready for long enough
	// asked is what the queue has asked for lately.
	asked asked
	// away is since when the broker does not answer, zero while it does.
	away time.Time
	// deletedByUs has the pods whose deletion the operator asked for.
	deletedByUs map[string]bool
	// refused has the images of which the last creation of a pod failed.
	refused map[string]bool
	// account is of this reconciliation.
	account account
	// counts of what has happened, to notice a simulation in which nothing happens.
	granted, withdrawn, published, signalled int
}

// account is what a reconciliation has done.
type account struct {
	// scaleDowns counts the grants for a scale-down, and letGo has every pod that was told to leave, for any reason.
	scaleDowns int
	letGo      []string
	withdrawn  int
	// created and refused have the images of the pods that were created and that could not be.
	created, refused []string
	// failed is true when a write to a pod was not carried out.
	failed bool
}

func newInvariants(w *world) *invariants {
	return &invariants{
		w: w, isDone: map[int]bool{}, names: map[string]bool{}, steady: map[string]bool{}, deletedByUs: map[string]bool{},
		refused: map[string]bool{},
	}
}

// violated notes that something does not hold.
func (i *invariants) violated(format string, args ...any) {
	i.violations = append(i.violations, fmt.Sprintf("second %d: ", i.w.tick)+fmt.Sprintf(format, args...))
}

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

// failed notes that a write was answered with an error.
func (i *invariants) failed(verb string, object client.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	i.account.failed = true
	if verb == "create" {
		i.account.refused = append(i.account.refused, imageOf(pod))
	}
}

// created checks a new pod.
func (i *invariants) created(object client.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	i.account.created = append(i.account.created, imageOf(pod))
	i.w.note("create %s of %s", pod.Name, fleet.RevisionOf(pod))
	if i.names[pod.Name] {
		i.violated("the name %s is used twice", pod.Name)
	}
	i.names[pod.Name] = true
	owner := i.w.qworker()
	if owner == nil || owner.DeletionTimestamp != nil && i.w.viewed().DeletionTimestamp != nil {
		i.violated("pod %s is created for a QWorker that is being deleted or gone", pod.Name)
		return
	}
	i.checkMost("the creation of " + pod.Name)
}

// checkMost checks that there are no more pods without a grant than the queue asks for, and the surge.
func (i *invariants) checkMost(after string) {
	if i.moves {
		return
	}
	now, shown := i.w.qworker(), i.w.viewed()
	most := 0
	for _, q := range []*v1alpha1.QWorker{now, shown} {
		desired := within(i.asked.most(), q)
		surge, _ := budget(q, desired)
		most = max(most, desired+surge)
	}
	capacity := i.capacity()
	if len(capacity) == most+1 && i.canaryBeyond(capacity) {
		return
	}
	if len(capacity) > most {
		i.violated("%d pods without a grant after %s, at most %d may be", len(capacity), after, most)
	}
}

// capacity are the pods that count against what is desired.
func (i *invariants) capacity() []planner.Pod {
	return slices.DeleteFunc(i.w.states(i.w.server.list(pods)), func(p planner.Pod) bool {
		return !isLive(p) || p.Grant.Reason != "" || p.Unreachable
	})
}

// canaryBeyond reports whether there may be a canary beyond the surge: while nodes go and the replacements of their
// pods do not start. The canary itself may have left a moment ago, or may be about to start.
func (i *invariants) canaryBeyond(capacity []planner.Pod) bool {
	if i.w.signal {
		return true // workers that are too many may have to stay
	}
	leaving := slices.ContainsFunc(capacity, func(p planner.Pod) bool { return p.NodeLeaving })
	for _, q := range []*v1alpha1.QWorker{i.w.qworker(), i.w.viewed()} { // the operator may know either
		published := q.Status.CurrentPodSpecHash
		if leaving && i.imageOfRevision(published) != imageOfSpec(q) && i.replacementsFail(published, capacity) {
			return true
		}
	}
	return false
}

// replacementsFail reports whether pods of a revision cannot be created, fail, or do not start.
func (i *invariants) replacementsFail(hash string, capacity []planner.Pod) bool {
	const comesUpWithin = 2 * time.Minute
	down := func(p planner.Pod) bool {
		since := p.Created
		if p.ReadyChanged.After(since) {
			since = p.ReadyChanged
		}
		return p.Revision == hash && !p.Ready && time.Since(since) >= comesUpWithin
	}
	failed := func(p planner.Pod) bool { return p.Revision == hash && p.Failure.Level > 0 }
	return i.refused[i.imageOfRevision(hash)] || slices.ContainsFunc(capacity, down) ||
		slices.ContainsFunc(i.w.states(i.w.server.list(pods)), failed) ||
		slices.ContainsFunc(i.w.states(byName(i.w.view.objects[pods])), failed)
}

func imageOf(pod *corev1.Pod) string { return pod.Spec.Containers[0].Image }

// imageOfRevision is the image of a stored revision, "" where there is none.
func (i *invariants) imageOfRevision(hash string) string {
	if r := i.revision(hash); r != nil {
		var content struct{ PodSpec corev1.PodSpec }
		if err := json.Unmarshal(r.Data.Raw, &content); err != nil {
			panic(err) // the operator stores no other
		}
		return content.PodSpec.Containers[0].Image
	}
	return ""
}

func (i *invariants) revision(hash string) *appsv1.ControllerRevision {
	for _, object := range i.w.server.list(revisions) {
		if object.GetLabels()[contract.LabelPodSpecHash] == hash {
			return object.(*appsv1.ControllerRevision)
		}
	}
	return nil
}

func isLive(p planner.Pod) bool { return p.Phase == planner.Pending || p.Phase == planner.Running }

// patched checks what was written to an object.
func (i *invariants) patched(before, after client.Object) {
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
		i.account.withdrawn++
		i.asked.note(i) // with what its worker is busy with
		// The last reading before the outage may still be acted on; it was good.
		const detected = 15 * time.Second
		if !i.away.IsZero() && time.Since(i.away) > detected {
			i.violated("the grant of %s is withdrawn while the broker is away", after.Name)
		}
		return
	case contract.ReasonScaleDown:
		i.account.scaleDowns++
	case contract.ReasonDelete:
		return
	}
	i.granted++
	i.account.letGo = append(i.account.letGo, after.Name)
	if !i.away.IsZero() {
		i.violated("%s gets a grant for %s while the broker is away", after.Name, to)
	}
}

func (i *invariants) reported(before, after *v1alpha1.QWorker) {
	from, to := before.Status.CurrentPodSpecHash, after.Status.CurrentPodSpecHash
	if !equality.Semantic.DeepEqual(before.Status, after.Status) {
		i.w.note("status: desired %d, current %d, replicas %d, hash %s", after.Status.DesiredReplicas, after.Status.CurrentReplicas, after.Status.Replicas, to)
	}
	if from != to {
		i.published++
		i.checkPublication(from, to)
	}
}

// checkPublication checks that only a revision is published that the spec asks for, and only once one of its pods was
// ready for as long as the rollout asks, unless there is nothing to protect.
func (i *invariants) checkPublication(from, to string) {
	image := i.imageOfRevision(to)
	if image != imageOfSpec(i.w.qworker()) && image != imageOfSpec(i.w.viewed()) {
		i.violated("revision %s of %s is published after %s, and the spec asks for %s", to, image, from, imageOfSpec(i.w.qworker()))
	}
	shown := i.w.states(byName(i.w.view.objects[pods]))
	i.noteSteady(shown)
	i.noteSteady(i.w.states(i.w.server.list(pods)))
	if i.steady[to] || from == "" {
		return
	}
	r := i.revision(from)
	works := r != nil && r.Annotations["quickube.com/proven"] == "true"
	var others []string
	for _, p := range shown {
		now, there := i.w.server.get(pods, p.Name).(*corev1.Pod) // the operator knows of its own writes before the cache does
		letGo := i.deletedByUs[p.Name] || (there && now.Annotations[contract.AnnotationDrain] != "")
		if !isLive(p) || p.Grant.Reason != "" || p.Unreachable || letGo || p.Revision == to {
			continue
		}
		others = append(others, p.Name)
		works = works || (p.Revision == from && p.Ready)
	}
	if works && len(others) > 0 {
		i.violated("revision %s is published, no pod of it was ready for long enough, and %s are there", to, others)
	}
}

func imageOfSpec(q *v1alpha1.QWorker) string { return q.Spec.PodSpec.Containers[0].Image }

// noteSteady notes the revisions of pods that are ready for as long as the rollout asks.
func (i *invariants) noteSteady(list []planner.Pod) {
	for _, p := range list {
		if p.Phase == planner.Running && p.Ready && time.Since(p.ReadyChanged) >= minReady {
			i.steady[p.Revision] = true
		}
	}
}

// deleted checks the deletion of a pod: no worker that runs is deleted, unless it is told by SIGTERM, or nobody but its
// kubelet knows that it runs. The broker knows of one that has a task.
func (i *invariants) deleted(object client.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
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
		if i.w.deleting() {
			return
		}
		i.account.letGo = append(i.account.letGo, pod.Name)
		if !i.away.IsZero() {
			i.violated("%s is told to leave while the broker is away", pod.Name)
		}
	case p.idle() && fleet.StateOf(pod, "worker").Phase == planner.Pending:
	case i.w.deleting() && (!i.away.IsZero() || p.restarts > 0): // the broker cannot be asked, or its kubelet says it crashed
	default:
		i.violated("%s is deleted while its worker runs: %s", pod.Name, p)
	}
}

// beforeReconcile begins a new account.
func (i *invariants) beforeReconcile() { i.account = account{} }

// afterReconcile checks what a reconciliation has done as a whole.
func (i *invariants) afterReconcile() {
	for _, image := range i.account.created {
		delete(i.refused, image)
	}
	for _, image := range i.account.refused {
		i.refused[image] = true
	}
	q := i.w.viewed()
	if i.account.withdrawn > 0 && !i.account.failed {
		i.checkMost("grants were withdrawn")
	}
	if len(i.account.letGo) == 0 || i.moves {
		return
	}
	// As far as the operator could know: the queue as it is, and the pods that it saw or should have seen.
	waiting, held := i.w.queues.depth(queue)
	demand, capacity, available, missed := waiting, 0, 0, 0
	for _, s := range i.sights() {
		letGo := slices.Contains(i.account.letGo, s.name)
		if letGo && i.isAvailable(s.shown, q) {
			missed++
		}
		if s.now.Grant.Reason != "" || i.deletedByUs[s.name] {
			continue
		}
		if isLive(s.now) {
			demand += held[s.name]
		}
		if isLive(s.now) || isLive(s.shown) {
			capacity++
		}
		if i.isAvailable(s.now, q) || i.isAvailable(s.shown, q) {
			available++
		}
	}
	desired := within(demand, q)
	if replaced := len(i.account.letGo) - i.account.scaleDowns; i.account.scaleDowns > 0 && capacity+replaced < desired {
		i.violated("%d got a grant to scale down and %d to be replaced, and at most %d are left of %d that the queue asks for",
			i.account.scaleDowns, replaced, capacity, desired)
	}
	if _, unavailable := budget(q, desired); missed > 0 && available < desired-unavailable {
		i.violated("%d available workers were told to leave, and at most %d are left of %d that the queue asks for, of which %d may be missing",
			missed, available, desired, unavailable)
	}
}

// sight is a pod as it is and as the operator's cache has it. A pod that is not there has left.
type sight struct {
	name       string
	now, shown planner.Pod
}

func (i *invariants) sights() []*sight {
	none := planner.Pod{Phase: planner.Left}
	byPod := map[string]*sight{}
	of := func(name string) *sight {
		if byPod[name] == nil {
			byPod[name] = &sight{name: name, now: none, shown: none}
		}
		return byPod[name]
	}
	for _, object := range i.w.server.list(pods) {
		of(object.GetName()).now = stateOf(object, i.w.server.get)
	}
	for name, object := range i.w.view.objects[pods] {
		of(name).shown = stateOf(object, i.w.view.get)
	}
	return slices.Collect(maps.Values(byPod))
}

// isAvailable reports whether a worker is ready, one of the newest revision for as long as the rollout asks.
func (i *invariants) isAvailable(p planner.Pod, q *v1alpha1.QWorker) bool {
	older := i.imageOfRevision(p.Revision) != imageOfSpec(q)
	return p.Phase == planner.Running && p.Ready && !p.Unreachable && (older || time.Since(p.ReadyChanged) >= minReady)
}

// everySecond checks that no task is lost.
func (i *invariants) everySecond() {
	i.noteSteady(i.w.states(i.w.server.list(pods)))
	i.asked.everySecond(i)
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
		i.violated("the tasks of %s were reclaimed while its worker was alive", strings.Join(alive, ", "))
	}
}

// checkGone checks what a QWorker leaves behind: no pod, and no task in the hands of a worker.
func (i *invariants) checkGone() {
	held := i.w.queues.allHeld()
	if left := i.w.server.list(pods); len(left) > 0 || len(held) > 0 {
		i.violated("the QWorker is gone, %d pods are left, and tasks are held: %v", len(left), held)
	}
}
