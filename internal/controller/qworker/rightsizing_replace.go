package qworker

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/rightsize"
)

// placedWithin is how long a pod that was made larger than its template may be without a node: most autoscalers have
// started one by then. A fleet that waits for room does not grow, and a worker of the template's size is better than none.
const placedWithin = 5 * time.Minute

// annotationSized marks the pods that were made with other resources than their template has. Those of another may come
// from a LimitRange or a webhook, and the next pod would have them as well.
const annotationSized = "quickube.com/right-sized"

// replaceUnfit has pods deleted whose workers do not run because of their size. The next plan makes others.
func (s *scope) replaceUnfit() {
	if !s.sizesActive() || s.sizes.policy.Mode() == v1alpha1.RightSizingOff {
		return
	}
	for i, pod := range s.pods {
		state := s.states[i]
		acted := slices.ContainsFunc(s.decision.Actions, func(a planner.Action) bool { return a.Pod == pod.Name })
		if state.Phase != planner.Pending || state.Grant.Reason != "" || acted {
			continue
		}
		if words := s.unplaced(pod); words != "" {
			s.shrinkNew(pod, words)
			s.replaceOne(pod, "no node has room for it as it is recommended: "+words)
		} else if s.outOfMemory(pod) {
			s.replaceOne(pod, "it was killed out of memory and cannot be raised; the next has more")
		}
	}
}

func (s *scope) replaceOne(pod *corev1.Pod, why string) {
	s.decision.Actions = append(s.decision.Actions, planner.Action{Kind: planner.DeleteNotRunning, Pod: pod.Name, Why: why})
}

// unplaced is the scheduler's words about a pod that is larger than its template and has had no node for long,
// "" for any other.
func (s *scope) unplaced(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse || c.Reason != corev1.PodReasonUnschedulable {
			continue
		}
		since := c.LastTransitionTime.Time
		if since.IsZero() {
			since = pod.CreationTimestamp.Time
		}
		if pod.Status.NominatedNodeName != "" || !s.outgrew(pod) { // others are being moved out of its way
			return ""
		}
		if s.now.Sub(since) < placedWithin {
			s.wakeAt(since.Add(placedWithin))
			return ""
		}
		return c.Message
	}
	return ""
}

// outOfMemory reports whether a pod whose worker does not run was killed out of memory, has less than such kills
// have taught, is not to be raised in place, and would be made larger today: started again as it is, it would be
// killed by the same task for ever.
func (s *scope) outOfMemory(pod *corev1.Pod) bool {
	worker := s.workerOf(pod)
	has := rightsize.MemoryRequest(containerIn(&pod.Spec, worker).Resources)
	if !rightsize.LastKilled(pod, worker) || has >= s.memory.sizes.history.Floor(worker, s.now) || !s.appliesToNew() {
		return false
	}
	r := s.revision(fleet.RevisionOf(pod))
	if r == nil {
		return false
	}
	fresh := r.PodSpec.DeepCopy()
	_, _ = rightsize.FitPod(fresh, s.status.Recommendations, s.sizes.policy)
	return rightsize.MemoryRequest(containerIn(fresh, worker).Resources) > has && !s.raisedInPlace(pod, worker)
}

// raisedInPlace reports whether a container is to get more memory in its present pod.
func (s *scope) raisedInPlace(pod *corev1.Pod, container string) bool {
	m := s.memory.sizes
	if s.sizes.policy.Mode() != v1alpha1.RightSizingInPlace || m.resize.stands(s.now) || s.now.Before(m.refused[pod.Name]) {
		return false
	}
	if can, err := s.resizable.Ask(); err == nil && !can {
		return false
	}
	raises := rightsize.Raises([]*corev1.Pod{pod}, s.status.Recommendations, s.sizes.policy, m.tooMuch, s.now)
	if len(raises) == 0 {
		return false
	}
	raised, changes := raises[0].Containers[container]
	return changes && !raises[0].Unsupported && rightsize.MemoryRequest(raised) > rightsize.MemoryRequest(containerIn(&pod.Spec, container).Resources)
}

// outgrew reports whether a pod was made to ask for more than its template.
func (s *scope) outgrew(pod *corev1.Pod) bool {
	r := s.revision(fleet.RevisionOf(pod))
	if _, sized := pod.Annotations[annotationSized]; !sized || r == nil {
		return false
	}
	for _, c := range slices.Concat(r.PodSpec.Containers, r.PodSpec.InitContainers) {
		if rightsize.AsksMore(containerIn(&pod.Spec, c.Name).Resources, c.Resources) {
			return true
		}
	}
	return false
}

// shrinkNew has new pods made as their template has it for a while.
func (s *scope) shrinkNew(pod *corev1.Pod, words string) {
	create := &s.memory.sizes.create
	if create.stands(s.now) {
		return
	}
	*create = refusalOf(reasonSizeUnschedulable, words, s.now)
	s.sizes.notes = append(s.sizes.notes, note{
		pod: pod.Name, kind: corev1.EventTypeWarning, reason: reasonSizeUnschedulable,
		text: fmt.Sprintf("no node has room for pod %s of the recommended size (%s); pods that wait are replaced, and new ones made as in the podSpec until %s",
			pod.Name, words, create.until.UTC().Format(time.RFC3339)),
	})
}
