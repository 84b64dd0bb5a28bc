package qworker

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/planner"
)

// tasks is what is known of the tasks that the workers of a fleet are at, as of an observation.
type tasks struct {
	// sightings has the revisions that were seen at a task and of which that is not stored yet.
	*sightings
	// ends is what is known of the tasks of workers that end by themselves.
	ends *ends

	drain *v1alpha1.DrainSpec
	// mayEnd is true where the kubelet does not start a worker again that has ended with 0.
	mayEnd    bool
	revisions *revisions
	pods      []planner.Pod
}

func (o *observation) tasks() tasks {
	return tasks{sightings: o.sightings, ends: o.ends, drain: o.qw.Spec.Drain, mayEnd: mayEnd(o.qw), revisions: &o.revisions, pods: o.states}
}

// mayEnd reports whether the kubelet does not start a worker again that has ended with 0: only Always has it do that, and
// without a restart policy it is OnFailure.
func mayEnd(qw *v1alpha1.QWorker) bool {
	return qw.Spec.PodSpec.RestartPolicy != corev1.RestartPolicyAlways
}

// endWorkers reports whether workers end by themselves after their task.
func (t tasks) endWorkers() bool { return t.drain != nil && t.drain.EndsAfterTask }

// show reports whether the tasks of a revision's workers show: whether one of them was seen at a task.
func (t tasks) show(hash string) bool {
	made := t.revisions.of(hash)
	return (made != nil && made.SeenAtTask) || t.has(hash)
}

// mayHide reports whether workers of a revision may be at a task that nobody sees: the broker keeps tasks by worker, or
// cannot be asked, and no worker of the revision was ever seen with one.
func (t tasks) mayHide(hash string, reading backlog.Reading) bool {
	return !t.show(hash) && !reading.Depth.CountsAll
}

// keep reports whether a pod is not to be told to end: its worker has no choice once it is told, and may be at a task
// that nobody sees. One that has no node, or of which the kubelet says why it does not run, is at none.
func (t tasks) keep(p planner.Pod, pod *corev1.Pod, reading backlog.Reading) bool {
	if !p.Signalled || !p.Live() || mayEndUnseenTasks(t.drain) || !t.mayHide(p.Revision, reading) {
		return false
	}
	return p.Phase == planner.Running || (pod.Spec.NodeName != "" && p.Trouble == "")
}

// lookout is for the pods whose revision was not seen at a task yet, those that are about to be created included.
func (t tasks) lookout(creating map[string]string) lookout {
	l := lookout{sightings: t.sightings, revisions: map[string]string{}}
	pods := make([]string, 0, len(t.pods)+len(creating))
	note := func(pod, hash string) {
		pods = append(pods, pod)
		if !t.show(hash) {
			l.revisions[pod] = hash
		}
	}
	for _, p := range t.pods {
		note(p.Name, p.Revision)
		l.urgent = l.urgent || p.Signalled
	}
	for pod, hash := range creating {
		note(pod, hash)
	}
	l.pods, l.credits = t.withoutPods(pods), t.credited(creating)
	return l
}

// credited are the revisions that have workers, each with whether they may have done what is done. Where there are
// several, those that have yet to prove themselves may not: an image that does nothing may run beside one that works.
func (t tasks) credited(creating map[string]string) map[string]bool {
	if !t.mayEnd {
		return nil
	}
	live := map[string]bool{}
	for i := range t.pods {
		if t.pods[i].Phase != planner.Left {
			live[t.pods[i].Revision] = true
		}
	}
	for _, hash := range creating {
		live[hash] = true
	}
	if len(live) > 1 {
		for hash := range live {
			made := t.revisions.of(hash)
			live[hash] = made != nil && made.Proven
		}
	}
	return live
}
