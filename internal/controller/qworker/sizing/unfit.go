package sizing

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// placedWithin is how long a pod that was made larger than its template may be without a node: most autoscalers have
// started one by then. A fleet that waits for room does not grow, and a worker of the template's size is better than none.
const placedWithin = 5 * time.Minute

// NotRunning is a pod that stays and whose worker does not run.
type NotRunning struct {
	*corev1.Pod
	// Worker is the name of its worker container.
	Worker string
	// Template is the podSpec of its revision, nil where that is not known.
	Template *corev1.PodSpec
}

// Unfit says why a pod's worker does not run because of its size, "" where its size is not why. Such a pod is to be
// replaced: the next one is made in another size.
func (r *Round) Unfit(pod NotRunning) string {
	if !r.active || r.policy.Mode() == v1alpha1.RightSizingOff || pod.Template == nil {
		return ""
	}
	if words := r.unplaced(pod); words != "" {
		r.shrinkNew(pod, words)
		return "no node has room for it as it is recommended: " + words
	}
	if r.outOfMemory(pod) {
		return "it was killed out of memory and cannot be raised; the next has more"
	}
	return ""
}

// unplaced is the scheduler's words about a pod that is larger than its template and has had no node for long,
// "" for any other.
func (r *Round) unplaced(pod NotRunning) string {
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse || c.Reason != corev1.PodReasonUnschedulable {
			continue
		}
		since := c.LastTransitionTime.Time
		if since.IsZero() {
			since = pod.CreationTimestamp.Time
		}
		if pod.Status.NominatedNodeName != "" || !outgrew(pod) { // others are being moved out of its way
			return ""
		}
		if r.fleet.Now.Sub(since) < placedWithin {
			r.recheckAt(since.Add(placedWithin))
			return ""
		}
		return c.Message
	}
	return ""
}

// outOfMemory reports whether a pod whose worker does not run was killed out of memory, has less than such kills
// have taught, is not to be raised in place, and would be made larger today: started again as it is, it would be
// killed by the same task for ever.
func (r *Round) outOfMemory(pod NotRunning) bool {
	has := rightsize.MemoryRequest(containerIn(&pod.Spec, pod.Worker).Resources)
	if !rightsize.LastKilled(pod.Pod, pod.Worker) || has >= r.memory.history.Floor(pod.Worker, r.fleet.Now) || !r.appliesToNew() {
		return false
	}
	fresh := pod.Template.DeepCopy()
	_, _ = rightsize.FitPod(fresh, r.Recommendations, r.policy)
	return rightsize.MemoryRequest(containerIn(fresh, pod.Worker).Resources) > has && !r.raisedInPlace(pod)
}

// raisedInPlace reports whether the worker is to get more memory in its present pod.
func (r *Round) raisedInPlace(pod NotRunning) bool {
	m, now := r.memory, r.fleet.Now
	if r.policy.Mode() != v1alpha1.RightSizingInPlace || m.resize.stands(now) || now.Before(m.refused[pod.Name]) {
		return false
	}
	if can, err := r.sizer.Cluster.Ask(); err == nil && !can {
		return false
	}
	raises := rightsize.Raises([]*corev1.Pod{pod.Pod}, r.Recommendations, r.policy, m.tooMuch, now)
	if len(raises) == 0 {
		return false
	}
	raised := raises[0].Containers[pod.Worker] // nothing, where only another container is raised
	return !raises[0].Unsupported && rightsize.MemoryRequest(raised) > rightsize.MemoryRequest(containerIn(&pod.Spec, pod.Worker).Resources)
}

// outgrew reports whether a pod was made to ask for more than its template.
func outgrew(pod NotRunning) bool {
	if _, sized := pod.Annotations[annotationSized]; !sized {
		return false
	}
	return slices.ContainsFunc(slices.Concat(pod.Template.Containers, pod.Template.InitContainers), func(c corev1.Container) bool {
		return rightsize.AsksMore(containerIn(&pod.Spec, c.Name).Resources, c.Resources)
	})
}

// shrinkNew has new pods made as their template has it for a while.
func (r *Round) shrinkNew(pod NotRunning, words string) {
	create := &r.memory.create
	if create.stands(r.fleet.Now) {
		return
	}
	*create = newRefusal(reasonSizeUnschedulable, words, r.fleet.Now)
	r.note(unschedulableNote(pod.Name, words, create.until))
}
