package report

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/planner"
)

// ready is True when as many workers as the queue asks for are ready and stay up. It returns also when time alone changes
// that. The status has the numbers of pods already.
func ready(now time.Time, st *v1alpha1.QWorkerStatus, o Observed, d Decided, done Done) (c metav1.Condition, recheckAt time.Time) {
	if c, ok := hindered(st, o, d, done); ok {
		return c, time.Time{}
	}
	const kind = v1alpha1.ConditionReady
	if st.DesiredReplicas == 0 && st.Replicas == 0 {
		return Is(kind, true, ReasonIdle, "the queue asks for no worker"), time.Time{}
	}
	count := readyOf(serving(o.Pods), st.DesiredReplicas)
	unscheduled := unscheduled(o.Pods, st.Replicas)
	enough, recheckAt, after := enoughSteady(now, o.Pods, st.DesiredReplicas)
	if enough && st.DrainingReplicas > 0 {
		return Is(kind, true, ReasonDraining, count+"; "+words.HowMany(st.DrainingReplicas, "more finishes its task and leaves", "more finish their tasks and leave")+unscheduled), recheckAt
	}
	if enough {
		return Is(kind, true, ReasonReady, count+unscheduled), recheckAt
	}
	if trouble := trouble(now, o.Pods); trouble != "" {
		return Is(kind, false, ReasonWorkersNotReady, trouble+unscheduled), recheckAt
	}
	// Workers that come and go are none of them ready for long. While they fail, the next one has yet to do a task.
	if o.EndAfterTask && d.Rollout.Proven && d.Failures == 0 {
		return Is(kind, true, ReasonReady, count+"; each worker ends after its task, and the next one is starting"+unscheduled), recheckAt
	}
	if !recheckAt.IsZero() {
		count += notYetFor(after, st.DesiredReplicas)
	}
	return Is(kind, false, ReasonScalingUp, count+unscheduled), recheckAt
}

// untilRead is the condition Ready of a QWorker: nobody knows yet whether a queue that was never read asks for a worker.
func untilRead(ready, reachable metav1.Condition) metav1.Condition {
	if ready.Status != metav1.ConditionTrue || reachable.Reason != ReasonNotReadYet {
		return ready
	}
	return Unknown(v1alpha1.ConditionReady, ReasonNotReadYet, reachable.Message)
}

// hindered is the condition Ready of a fleet that cannot be as it is to be, whatever its pods do.
func hindered(st *v1alpha1.QWorkerStatus, o Observed, d Decided, done Done) (c metav1.Condition, ok bool) {
	const kind = v1alpha1.ConditionReady
	failing := o.Recovery.failing()
	switch {
	case o.Deleting:
		return Is(kind, false, ReasonDeleting, deletingMessage(st, o, done.Failure)), true
	case o.Stalled != nil:
		return isNot(kind, *o.Stalled), true
	case done.Failure != nil:
		return isNot(kind, *done.Failure), true
	case done.PodRefused:
		return Is(kind, false, ReasonPodRefused, done.Uncreated), true
	case done.Uncreated != "":
		return Is(kind, false, ReasonWriteFailed, done.Uncreated), true
	case o.Queue.Problem != nil:
		return isNot(kind, *o.Queue.Problem), true
	case d.BackOff.Level > 0:
		return Is(kind, false, ReasonBackOff, backOffMessage(d.BackOff, o.Pods)), true
	case failing != "":
		return Is(kind, false, ReasonReclaimFailed, failing), true
	}
	return metav1.Condition{}, false
}

// failing says whose tasks cannot be returned, or that nobody can look for such tasks, "" where neither is so.
func (r Recovery) failing() string {
	switch {
	case len(r.Failing) > 0:
		return fmt.Sprintf("cannot return the tasks of %s (%s) to the queue: %s; QScaler tries again. Check the rights of the broker's user, and that the server accepts writes",
			words.HowMany(len(r.Failing), "dead worker", "dead workers"), words.AndMore(r.Failing), r.Why)
	case len(r.Unplaced) > 0:
		return fmt.Sprintf("cannot return the tasks of %s (%s): nobody knows at which queue they worked, because their revision was deleted and their pods do not name it. QScaler keeps the pods that are left. Return the tasks by hand, and delete these pods: see ReclaimFailed in docs/troubleshooting.md",
			words.HowMany(len(r.Unplaced), "dead worker", "dead workers"), words.AndMore(r.Unplaced))
	case r.SearchFailed != "":
		return fmt.Sprintf("cannot look for the tasks of workers that died while no operator was running: %s; QScaler tries again. Check the rights of the broker's user", r.SearchFailed)
	}
	return ""
}

// trouble names the pods that do not work, and has what the first of them says. One that has crashed does not work until
// it has stayed up for long enough.
func trouble(now time.Time, pods []Pod) string {
	var names []string
	first := ""
	for _, p := range pods {
		down := p.Phase == planner.Pending || (p.Phase == planner.Running && p.Failing && !p.granted() && !p.steady(now))
		if !down || p.Trouble == "" {
			continue
		}
		names = append(names, p.Name)
		if first == "" {
			first = p.Trouble
		}
	}
	if len(names) == 0 {
		return ""
	}
	if len(names) == 1 {
		return fmt.Sprintf("pod %s does not work: %s", names[0], first)
	}
	return fmt.Sprintf("%d pods do not work (%s); pod %s: %s", len(names), words.AndMore(names), names[0], first)
}

// readyOf counts the ready workers among those that are to be.
func readyOf(ready, desired int32) string {
	verb := "are"
	if ready == 1 || desired == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s ready", ready, words.HowMany(desired, "worker", "workers"), verb)
}

// unscheduled counts the workers that no node has room for, "" where there are none.
func unscheduled(pods []Pod, replicas int32) string {
	n := 0
	for _, p := range pods {
		if p.Unscheduled && p.Phase == planner.Pending {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; the scheduler finds no node for %d of %s", n, words.HowMany(replicas, "pod", "pods"))
}
