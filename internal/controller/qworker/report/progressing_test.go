package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

func TestProgressing(t *testing.T) {
	const kind = v1alpha1.ConditionProgressing
	canary := func(change func(*Rollout)) Rollout {
		r := Rollout{Newest: "r2", Stage: planner.Canary, Proven: true, MinReady: 10 * time.Second}
		change(&r)
		return r
	}
	crash := planner.Obstacle{Reason: planner.CanaryFailing, Pod: "c", Message: "exit code 3"}
	const trying = "revision r2 is not published yet; the fleet stays on r1"
	cases := map[string]struct {
		rollout Rollout
		pods    []Pod
		want    metav1.Condition
	}{
		"there is no revision yet": {Rollout{}, nil, Absent(kind)},
		"the revision of the present spec cannot be stored": {
			Rollout{Newest: "r1", Stage: planner.Settled, Proven: true, Unstored: "denied"}, []Pod{worker("w")},
			isFalse(kind, ReasonRevisionNotStored, "the fleet stays on r1: QScaler cannot store the revision of the present spec, and tries again: denied"),
		},
		"a fleet without workers is of its revision": {
			Rollout{Newest: "r1", Stage: planner.Settled}, nil, isTrue(kind, ReasonRevisionAvailable, "all workers are of revision r1"),
		},
		"the first rollout is under way while no worker is ready": {
			Rollout{Newest: "r1", Stage: planner.Settled, MinReady: 10 * time.Second}, []Pod{worker("w", unready)},
			isTrue(kind, ReasonRollingOut, "no worker of revision r1 has been ready for 10s yet"),
		},
		"nor is it over with a worker that has yet to stay ready": {
			Rollout{Newest: "r1", Stage: planner.Settled, MinReady: 10 * time.Second}, []Pod{worker("w")},
			isTrue(kind, ReasonRollingOut, "no worker of revision r1 has been ready for 10s yet"),
		},
		"the first rollout is over once a worker has been ready for long enough": {
			Rollout{Newest: "r1", Stage: planner.Settled, Proven: true}, []Pod{worker("w")}, isTrue(kind, ReasonRevisionAvailable, "all workers are of revision r1"),
		},
		"a proven revision need not be ready again": {
			Rollout{Newest: "r1", Stage: planner.Settled, Proven: true}, []Pod{worker("w", unready)},
			isTrue(kind, ReasonRevisionAvailable, "all workers are of revision r1"),
		},
		"the first rollout has no older workers": {
			Rollout{Newest: "r1", Stage: planner.Settled, Obstacle: planner.Obstacle{Reason: planner.DeadlineExceeded, Pod: "w", Message: "Unschedulable"}},
			[]Pod{worker("w", unready)},
			isFalse(kind, "ProgressDeadlineExceeded", "no worker of revision r1 is ready yet; pod w: Unschedulable; correct the pod spec or the cluster"),
		},
		"published workers fail": {
			Rollout{Newest: "r1", Stage: planner.Settled, Proven: true, Obstacle: planner.Obstacle{Reason: planner.WorkersFailing, Pod: "w", Message: "exit code 3"}},
			[]Pod{worker("w", unready)},
			isFalse(kind, "WorkersFailing", "all workers are of revision r1; pod w: exit code 3; correct the pod spec, or revert it"),
		},
		"one older worker is there": {
			Rollout{Newest: "r2", Stage: planner.Rolling, Proven: true}, []Pod{worker("a"), worker("n", of("r2")), worker("b", in(planner.Terminating))},
			isTrue(kind, ReasonRollingOut, "revision r2 takes over; 1 pod of an older revision is still there: a"),
		},
		"three are, in the order of their names": {
			Rollout{Newest: "r2", Stage: planner.Rolling, Proven: true}, []Pod{worker("c"), worker("b", granted(contract.ReasonRollout, now)), worker("a")},
			isTrue(kind, ReasonRollingOut, "revision r2 takes over; 3 pods of older revisions are still there: a, b, c"),
		},
		"four are, and three are named": {
			Rollout{Newest: "r2", Stage: planner.Rolling, Proven: true}, []Pod{worker("d"), worker("c"), worker("b"), worker("a")},
			isTrue(kind, ReasonRollingOut, "revision r2 takes over; 4 pods of older revisions are still there: a, b, c and 1 more"),
		},
		"a rollout stops half-way": {
			Rollout{Newest: "r2", Stage: planner.Rolling, Proven: true, Obstacle: planner.Obstacle{Reason: planner.DeadlineExceeded, Pod: "n", Message: "it is not ready"}},
			[]Pod{worker("a")},
			isFalse(kind, "ProgressDeadlineExceeded", "revision r2 takes over; 1 pod of an older revision is still there: a; pod n: it is not ready; correct the pod spec or the cluster"),
		},
		"a paused rollout is neither under way nor stopped": {
			canary(func(r *Rollout) { r.Paused, r.Obstacle = true, crash }), nil,
			Unknown(kind, ReasonRolloutPaused, trying+"; the rollout is paused until you set spec.rollout.paused to false"),
		},
		"a canary starts": {
			canary(func(*Rollout) {}), []Pod{worker("a")},
			isTrue(kind, ReasonCanaryStarting, trying+" until a pod of r2 has been ready for 10s"),
		},
		"a canary that is published is tried no more": {
			canary(func(r *Rollout) { r.Publish = "r2" }), []Pod{worker("n", of("r2"))},
			isTrue(kind, ReasonRevisionAvailable, "all workers are of revision r2"),
		},
		"a canary fails": {
			canary(func(r *Rollout) { r.Obstacle, r.Kept = crash, Problem{"CanaryRefused", "earlier"} }), nil,
			isFalse(kind, "CanaryFailing", trying+"; pod c: exit code 3; correct the pod spec, or revert it"),
		},
		"a canary failed when there was one": {
			canary(func(r *Rollout) { r.Kept = Problem{"CanaryFailing", "pod c: exit code 3"} }), nil,
			isFalse(kind, "CanaryFailing", trying+"; when it was last tried: pod c: exit code 3; correct the pod spec, or revert it"),
		},
		"a canary is refused": {
			canary(func(r *Rollout) {
				r.Uncreated, r.Obstacle = Uncreated{Message: "violates PodSecurity", Refused: true}, crash
			}), nil,
			isFalse(kind, ReasonCanaryRefused, trying+"; violates PodSecurity; correct the pod spec, or revert it"),
		},
		"a quota is a wait": {
			canary(func(r *Rollout) {
				r.Uncreated, r.Obstacle = Uncreated{Message: "exceeded quota: q", Refused: true, Quota: true}, crash
			}), nil,
			isTrue(kind, ReasonWaitingForQuota, trying+"; a quota is used up, so no pod of r2 can be created: exceeded quota: q; QScaler tries again"),
		},
		"a canary that could not be created for an overloaded API server is a wait": {
			canary(func(r *Rollout) { r.Uncreated = Uncreated{Message: "http2: client connection lost"} }), nil,
			isTrue(kind, ReasonCanaryStarting, trying+"; QScaler tries again to create a pod of r2: http2: client connection lost"),
		},
		"the queue of the newest revision cannot be read": {
			canary(func(r *Rollout) {
				r.Unread, r.Uncreated = &Problem{"HostNotFound", "no such host"}, Uncreated{Message: "exceeded quota", Quota: true}
			}), nil,
			isFalse(kind, "HostNotFound", trying+"; QScaler cannot read the queue of r2: no such host"),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			st := &v1alpha1.QWorkerStatus{CurrentPodSpecHash: "r1"}
			countPods(st, c.pods, c.rollout.Newest)
			if diff := cmp.Diff(c.want, progressing(c.rollout, st, c.pods)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What has stopped a rollout is stored as it is found, for the time when no canary is there to tell.
func TestStopped(t *testing.T) {
	stopped, ok := Rollout{Stage: planner.Canary, Obstacle: planner.Obstacle{Reason: planner.CanaryFailing, Pod: "c", Message: "exit code 3"}}.Stopped()
	if diff := cmp.Diff(Problem{"CanaryFailing", "pod c: exit code 3"}, stopped); diff != "" || !ok {
		t.Errorf("stopped: %t, -want +got:\n%s", ok, diff)
	}
	if stopped, ok := (Rollout{Stage: planner.Rolling, Uncreated: Uncreated{Message: "no", Refused: true}}).Stopped(); ok {
		t.Errorf("a refusal of what is published has stopped a rollout: %v", stopped)
	}
}
