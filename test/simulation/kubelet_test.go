package simulation

import (
	"fmt"
	"maps"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/worker/contract"
)

// stage is where a worker's process stands.
type stage int

const (
	starting stage = iota
	running
	ended
)

// process is the worker of one pod, over its restarts.
type process struct {
	stage    stage
	starts   int // seconds until it runs
	restarts int32
	began    time.Time
	ready    bool
	unready  int    // seconds until it is ready again
	at       string // the queue that it works on
	task     *task
	left     int // seconds of the task
	hangs    int // seconds for which it does nothing
	waited   int // seconds without a task
	// file is the content of the drain file, and stale the seconds until it is what the annotation says.
	file  string
	stale int
	// last is how the process before this one ended.
	last *corev1.ContainerStateTerminated
	// unsaid is the status that the kubelet has yet to write, nil where it has written the newest, and silent are the
	// seconds until it does.
	unsaid *corev1.PodStatus
	silent int
}

// idle reports whether the worker has no task and starts none.
func (p *process) idle() bool { return p.task == nil }

const queue = "queue"

// work is a second of every node's and worker's life.
func (w *world) work() {
	for _, object := range w.server.list(pods) {
		pod := object.(*corev1.Pod)
		p := w.processes[pod.UID]
		if p == nil {
			p = &process{starts: 1 + w.IntN(4), at: worksOn(pod)}
			w.processes[pod.UID] = p
			w.made = append(w.made, pod)
		}
		if pod.Spec.NodeName == "" {
			if pod = w.schedule(pod); pod == nil {
				continue
			}
		}
		if w.terminate(pod, p) {
			continue
		}
		p.silent = max(p.silent-1, 0)
		w.say(pod.Name, p)
		w.project(pod, p)
		switch p.stage {
		case starting:
			w.start(pod, p)
		case running:
			w.runSecond(pod, p)
		case ended:
		}
	}
	there := map[types.UID]bool{}
	for _, object := range w.server.list(pods) {
		there[object.GetUID()] = true
	}
	maps.DeleteFunc(w.processes, func(uid types.UID, _ *process) bool { return !there[uid] })
}

// schedule binds a pod to a node that takes pods, nil where there is none.
func (w *world) schedule(pod *corev1.Pod) *corev1.Pod {
	for i := range nodeNames {
		name := nodeNames[(w.tick+i)%len(nodeNames)]
		if node := w.server.get(nodes, name).(*corev1.Node); !node.Spec.Unschedulable && len(node.Spec.Taints) == 0 {
			bound := pod.DeepCopy()
			bound.Spec.NodeName = name
			w.server.replace(bound)
			return bound
		}
	}
	return nil
}

// terminate deals with a pod that is being deleted, and reports whether it is gone.
func (w *world) terminate(pod *corev1.Pod, p *process) bool {
	if pod.DeletionTimestamp == nil {
		return false
	}
	over := !time.Now().Before(pod.DeletionTimestamp.Time)
	if p.stage == running && !over {
		return false
	}
	if p.stage == running && !p.idle() {
		w.watch.killed(pod, p)
	}
	w.watch.asked.interrupted(p)
	if p.idle() && w.queues.isUnheard(pod.Name) {
		w.watch.asked.unheard()
	}
	w.note("pod %s is gone", pod.Name)
	w.server.take(pod)
	delete(w.processes, pod.UID)
	return true
}

// project brings the annotation into the drain file, after a second or two.
func (w *world) project(pod *corev1.Pod, p *process) {
	value := pod.Annotations[contract.AnnotationDrain]
	switch {
	case value == p.file:
		p.stale = 0
	case p.stale == 0:
		p.stale = 1 + w.IntN(2)
	default:
		if p.stale--; p.stale == 0 {
			p.file = value
		}
	}
}

// start counts down to the start of the container. Images whose name begins with bad are not there.
func (w *world) start(pod *corev1.Pod, p *process) {
	if pod.DeletionTimestamp != nil {
		return
	}
	if strings.HasPrefix(pod.Spec.Containers[0].Image, "bad") {
		w.report(pod, func(s *corev1.ContainerStatus) {
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "there is no such image"}
		}, p)
		return
	}
	if p.starts--; p.starts > 0 {
		return
	}
	p.stage, p.began, p.unready = running, time.Now(), 1+w.IntN(2)
	w.report(pod, asRunning(p), p)
}

// runSecond is a second of a worker: it becomes ready, works on, leaves, or takes a task.
func (w *world) runSecond(pod *corev1.Pod, p *process) {
	if p.unready > 0 {
		if p.unready--; p.unready == 0 {
			p.ready = true
			w.report(pod, asRunning(p), p)
		}
	}
	if p.hangs > 0 {
		p.hangs--
		return
	}
	if p.task != nil {
		p.left--
		if p.left > 0 || !w.queues.acknowledge(p.at, pod.Name, p.task.id) {
			return
		}
		w.watch.done(p.task.id)
		p.task = nil
		if w.oneTask {
			w.watch.steady[fleet.RevisionOf(pod)] = true // a canary that has done its task shows as much as one that stays ready
			w.exit(pod, p, 0)
			return
		}
	}
	if strings.HasPrefix(pod.Spec.Containers[0].Image, "ends") {
		w.exit(pod, p, 0)
		return
	}
	if p.file != "" || pod.DeletionTimestamp != nil {
		w.exit(pod, p, 0)
		return
	}
	if t := w.queues.take(p.at, pod.Name); t != nil {
		p.task, p.left = t, t.length
		return
	}
	const waits = 5 // seconds, as BLMOVE with that time-out
	if p.waited++; w.oneTask && p.waited == waits {
		w.exit(pod, p, 0)
	}
}

// exit ends the worker's process. With a code other than 0 the kubelet starts it again.
func (w *world) exit(pod *corev1.Pod, p *process, code int32) {
	terminated := &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: "Completed", StartedAt: metav1.NewTime(p.began).Rfc3339Copy(), FinishedAt: metav1.Now().Rfc3339Copy(),
	}
	p.ready, p.task, p.hangs = false, nil, 0
	if code != 0 && pod.DeletionTimestamp == nil {
		terminated.Reason = "Error"
		p.stage, p.starts, p.last = starting, 5, terminated
		p.restarts++
		w.report(pod, func(s *corev1.ContainerStatus) {
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		}, p)
		return
	}
	p.stage = ended
	w.note("worker %s exits with %d", pod.Name, code)
	w.report(pod, func(s *corev1.ContainerStatus) { s.State.Terminated = terminated }, p)
}

func asRunning(p *process) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) {
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(p.began).Rfc3339Copy()}
		s.Ready = p.ready
	}
}

// report has the kubelet write a pod's status, after a while. What is new before it does goes with it.
func (w *world) report(pod *corev1.Pod, state func(*corev1.ContainerStatus), p *process) {
	next := w.server.get(pods, pod.Name).(*corev1.Pod).Status.DeepCopy()
	status := corev1.ContainerStatus{Name: pod.Spec.Containers[0].Name, RestartCount: p.restarts}
	status.LastTerminationState.Terminated = p.last
	state(&status)
	next.ContainerStatuses = []corev1.ContainerStatus{status}
	next.Phase = corev1.PodRunning
	switch {
	case status.State.Terminated != nil && status.State.Terminated.ExitCode == 0:
		next.Phase = corev1.PodSucceeded
	case status.State.Terminated != nil:
		next.Phase = corev1.PodFailed
	case p.stage == starting && p.restarts == 0:
		next.Phase = corev1.PodPending
	}
	next.Conditions = withReadiness(next.Conditions, p.ready)
	if p.unsaid == nil {
		p.silent = w.lag()
	}
	p.unsaid = next
	w.say(pod.Name, p)
}

// lag is how many seconds a kubelet is late with a status: up to 2 mostly, and 10 and more when it has much to write, or
// could write nothing, because the API server was away.
func (w *world) lag() int {
	if w.away > 0 || w.oneIn(30) {
		return w.away + 10 + w.IntN(10)
	}
	return w.IntN(3)
}

// say writes the status of a pod when its time has come.
func (w *world) say(pod string, p *process) {
	if p.unsaid == nil || p.silent > 0 {
		return
	}
	next := w.server.get(pods, pod).DeepCopyObject().(*corev1.Pod)
	next.Status, p.unsaid = *p.unsaid, nil
	w.server.replace(next)
}

func withReadiness(conditions []corev1.PodCondition, ready bool) []corev1.PodCondition {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	if len(conditions) == 1 && conditions[0].Status == status {
		return conditions
	}
	return []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.Now().Rfc3339Copy()}}
}

// worksOn is the queue that a pod's environment names.
func worksOn(pod *corev1.Pod) string {
	env := map[string]string{}
	for _, v := range pod.Spec.Containers[0].Env {
		env[v.Name] = v.Value
	}
	host, _, _ := strings.Cut(env["QSCALER_BROKER_ADDRESS"], ":")
	return on(host, env[contract.EnvQueue])
}

// isAlive reports whether the worker's process runs in some pod of that name.
func (w *world) isAlive(name string) bool {
	for _, object := range w.server.list(pods) {
		if p := w.processes[object.GetUID()]; object.GetName() == name && p != nil && p.stage != ended {
			return true // one that is about to start does the tasks of its list, too
		}
	}
	return false
}

var nodeNames = []string{"node-1", "node-2", "node-3"}

func newNode(name string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func (p *process) String() string {
	task := "idle"
	if p.task != nil {
		task = fmt.Sprintf("task %d, %ds left", p.task.id, p.left)
	}
	return fmt.Sprintf("%s, %s, file %q", [...]string{"starting", "running", "ended"}[p.stage], task, p.file)
}
