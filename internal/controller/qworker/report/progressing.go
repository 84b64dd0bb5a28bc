package report

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/planner"
)

// progressing says where the rollout stands. It is False when the rollout has stopped, for a reason that asks for
// a person. That workers finish long tasks, that a quota is used up, and that the API server is overloaded are waits.
// The status has the numbers of pods and the published revision already.
func progressing(r Rollout, st *v1alpha1.QWorkerStatus, pods []Pod) metav1.Condition {
	const kind = v1alpha1.ConditionProgressing
	if r.Newest == "" {
		return Absent(kind)
	}
	older := olderThan(r.Newest, pods)
	settled := fmt.Sprintf("all workers are of revision %s", r.Newest)
	begun := r.Proven || st.Replicas == 0
	if !begun {
		settled = fmt.Sprintf("no worker of revision %s is ready yet", r.Newest)
		if r.MinReady > 0 {
			settled = fmt.Sprintf("no worker of revision %s has been ready for %s yet", r.Newest, r.MinReady)
		}
	}
	underWay := settled
	if len(older) > 0 {
		underWay = fmt.Sprintf("revision %s takes over; %s there: %s", r.Newest,
			words.HowMany(len(older), "pod of an older revision is still", "pods of older revisions are still"), words.AndMore(older))
	}
	if r.Trying() {
		underWay = fmt.Sprintf("revision %s is not published yet; the fleet stays on %s", r.Newest, st.CurrentPodSpecHash)
	}
	stopped, hasStopped := r.Stopped()
	switch {
	case r.Unstored != "":
		return Is(kind, false, ReasonRevisionNotStored, fmt.Sprintf("the fleet stays on %s: QScaler cannot store the revision of the present spec, and tries again: %s", r.Newest, r.Unstored))
	case !r.Trying() && len(older) == 0 && begun && !hasStopped:
		return Is(kind, true, ReasonRevisionAvailable, settled)
	case r.Paused:
		return Unknown(kind, ReasonRolloutPaused, underWay+"; the rollout is paused until you set spec.rollout.paused to false")
	case r.Trying():
		return r.canary(underWay)
	case hasStopped:
		return Is(kind, false, stopped.Reason, fmt.Sprintf("%s; %s; %s", underWay, stopped.Message, remedyOf(stopped)))
	}
	return Is(kind, true, ReasonRollingOut, underWay)
}

// canary says how a revision does that has yet to prove itself.
func (r Rollout) canary(underWay string) metav1.Condition {
	const kind = v1alpha1.ConditionProgressing
	stopped, hasStopped := r.Stopped()
	switch {
	case r.Unread != nil:
		return Is(kind, false, r.Unread.Reason, fmt.Sprintf("%s; QScaler cannot read the queue of %s: %s", underWay, r.Newest, r.Unread.Message))
	case r.Uncreated.Quota:
		return Is(kind, true, ReasonWaitingForQuota, fmt.Sprintf("%s; a quota is used up, so no pod of %s can be created: %s; QScaler tries again", underWay, r.Newest, r.Uncreated.Message))
	case hasStopped:
		return Is(kind, false, stopped.Reason, fmt.Sprintf("%s; %s; %s", underWay, stopped.Message, remedyOf(stopped)))
	case r.Kept != Problem{}:
		return Is(kind, false, r.Kept.Reason, fmt.Sprintf("%s; when it was last tried: %s; %s", underWay, r.Kept.Message, remedyOf(r.Kept)))
	case r.Uncreated.Message != "":
		return Is(kind, true, ReasonCanaryStarting, fmt.Sprintf("%s; QScaler tries again to create a pod of %s: %s", underWay, r.Newest, r.Uncreated.Message))
	}
	return Is(kind, true, ReasonCanaryStarting, fmt.Sprintf("%s until a pod of %s has been ready for %s", underWay, r.Newest, r.MinReady))
}

// remedyOf is what a person can do where a rollout has stopped.
func remedyOf(stopped Problem) string {
	if stopped.Reason == string(planner.DeadlineExceeded) {
		return "correct the pod spec or the cluster"
	}
	return "correct the pod spec, or revert it"
}

// Trying reports whether the newest revision has yet to prove itself beside the published one.
func (r Rollout) Trying() bool { return r.Stage == planner.Canary && r.Publish == "" }

// Stopped is why the rollout has stopped, as far as it shows now.
func (r Rollout) Stopped() (why Problem, ok bool) {
	switch {
	case r.Trying() && r.Uncreated.Refused && !r.Uncreated.Quota:
		return Problem{ReasonCanaryRefused, r.Uncreated.Message}, true
	case r.Obstacle != planner.Obstacle{}:
		return Problem{string(r.Obstacle.Reason), fmt.Sprintf("pod %s: %s", r.Obstacle.Pod, r.Obstacle.Message)}, true
	}
	return Problem{}, false
}
