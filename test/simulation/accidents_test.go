package simulation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// oneIn reports whether something happens that happens once in n times.
func (w *world) oneIn(n int) bool { return w.IntN(n) == 0 }

// accident is what a second brings.
func (w *world) accident() {
	if w.oneIn(6) {
		w.push(w.IntN(4), 1+w.IntN(30))
	}
	if w.oneIn(120) {
		w.change()
	}
	if w.oneIn(200) {
		w.setOutage(w.oneIn(3), w.oneIn(6))
	}
	if w.oneIn(50) {
		w.queues.mu.Lock()
		w.queues.deaf = w.oneIn(4)
		w.queues.mu.Unlock()
	}
	if w.oneIn(40) {
		w.faults.oneIn = []int{0, 0, 3, 8}[w.IntN(4)]
	}
	if w.oneIn(60) {
		w.faults.crash = []kind{pods, pods, qworkers, revisions}[w.IntN(4)]
	}
	if w.oneIn(150) {
		w.note("the operator is killed")
		w.restart()
	}
	if w.oneIn(40) {
		w.blind = 0
		if w.oneIn(2) {
			w.blind = 1 + w.IntN(20)
		}
	}
	if w.oneIn(400) {
		w.away = 1 + w.IntN(300)
		w.note("the API server is away for %d s", w.away)
	}
	if w.oneIn(80) {
		w.taint()
	}
	if w.oneIn(500) && !w.deleting() {
		w.delete()
	}
	for _, object := range w.server.list(pods) {
		if w.oneIn(250) {
			w.strike(object.(*corev1.Pod))
		}
	}
}

func (w *world) push(n, seconds int) {
	for range n {
		w.pushed++
		w.queues.push(queue, task{w.pushed, seconds})
	}
	w.note("push %d tasks of %ds", n, seconds)
}

func (w *world) setOutage(down, hangs bool) {
	w.queues.setOutage(down, hangs)
	w.watch.outage(down || hangs)
	w.note("the broker is down: %t, hangs: %t", down, hangs)
}

// taint cordons a node, makes it unreachable, or has it back.
func (w *world) taint() {
	node := w.server.get(nodes, nodeNames[w.IntN(len(nodeNames))]).DeepCopyObject().(*corev1.Node)
	node.Spec.Unschedulable, node.Spec.Taints = false, nil
	switch w.IntN(4) {
	case 0:
		node.Spec.Unschedulable = true
	case 1:
		node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}}
	}
	w.note("node %s: unschedulable %t, taints %v", node.Name, node.Spec.Unschedulable, node.Spec.Taints)
	w.server.replace(node)
}

// delete has the QWorker go, and its workers with it.
func (w *world) delete() {
	w.note("the QWorker is deleted")
	if err := w.server.delete(qworkers, fleetName.Name, client.DeleteOptions{}); err != nil {
		panic(err) // it is there
	}
}

// vanish takes a pod as it is.
func (w *world) vanish(pod *corev1.Pod, p *process) {
	w.watch.asked.interrupted(p)
	w.note("pod %s vanishes: %s", pod.Name, p)
	w.server.take(pod)
	delete(w.processes, pod.UID)
}

// loseAll has every pod vanish.
func (w *world) loseAll() {
	for _, object := range w.server.list(pods) {
		pod := object.(*corev1.Pod)
		w.vanish(pod, w.processes[pod.UID])
	}
}

// strike does something to a pod.
func (w *world) strike(pod *corev1.Pod) {
	p := w.processes[pod.UID]
	if p == nil || p.stage == ended {
		return
	}
	switch w.IntN(5) {
	case 0:
		if p.stage == running {
			w.note("worker %s crashes: %s", pod.Name, p)
			w.exit(pod, p, 1)
		}
	case 1:
		w.watch.asked.interrupted(p)
		w.note("pod %s is evicted: %s", pod.Name, p)
		evicted := w.server.get(pods, pod.Name).DeepCopyObject().(*corev1.Pod)
		evicted.Status.Phase, evicted.Status.Reason = corev1.PodFailed, "Evicted"
		evicted.Status.Conditions = withReadiness(nil, false)
		evicted.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", RestartCount: p.restarts, State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, StartedAt: metav1.NewTime(p.began).Rfc3339Copy(), FinishedAt: metav1.Now().Rfc3339Copy()},
		}}}
		p.stage, p.task, p.unsaid = ended, nil, nil
		w.server.replace(evicted)
	case 2:
		w.vanish(pod, p)
	case 3:
		p.hangs = 30
		if p.stage == running && p.ready {
			p.ready, p.unready = false, 20
			w.report(pod, asRunning(p), p)
		}
	case 4:
		if pod.DeletionTimestamp == nil && pod.Spec.NodeName != "" {
			w.note("somebody deletes pod %s: %s", pod.Name, p)
			deleted := w.server.get(pods, pod.Name).DeepCopyObject().(*corev1.Pod)
			deleted.DeletionGracePeriodSeconds = ptr.To(*pod.Spec.TerminationGracePeriodSeconds)
			deleted.DeletionTimestamp = ptr.To(metav1.NewTime(w.now().Add(graceOf(pod))).Rfc3339Copy())
			w.server.replace(deleted)
		}
	}
}

// change is what a user does: another image, which may not be there, a former one, another range or pace.
func (w *world) change() {
	w.edit(func(q *v1alpha1.QWorker) {
		image := &q.Spec.PodSpec.Containers[0].Image
		switch w.IntN(5) {
		case 0, 1:
			w.images++
			*image = fmt.Sprintf("good:%d", w.images)
		case 2:
			w.images++
			*image = fmt.Sprintf("bad:%d", w.images)
		case 3:
			*image = fmt.Sprintf("good:%d", max(w.images-1, 1))
		case 4:
			amounts := []intstr.IntOrString{intstr.FromInt32(0), intstr.FromInt32(2), intstr.FromString("25%"), intstr.FromString("50%")}
			surge, unavailable := amounts[w.IntN(4)], amounts[w.IntN(4)]
			if surge == amounts[0] && unavailable == amounts[0] {
				unavailable = amounts[1] // admission refuses both to be 0
			}
			q.Spec.Rollout.MaxSurge, q.Spec.Rollout.MaxUnavailable = &surge, &unavailable
			q.Spec.Rollout.Paused = w.oneIn(5)
			q.Spec.ScaleConfig.MinReplicas = int32(w.IntN(4))
			q.Spec.ScaleConfig.MaxReplicas = int32(6 + w.IntN(8))
		}
		w.note("the spec: image %s, %d to %d, surge %s, unavailable %s, paused %t", *image, q.Spec.ScaleConfig.MinReplicas,
			q.Spec.ScaleConfig.MaxReplicas, q.Spec.Rollout.MaxSurge, q.Spec.Rollout.MaxUnavailable, q.Spec.Rollout.Paused)
	})
}
