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

func TestReady(t *testing.T) {
	const kind = v1alpha1.ConditionReady
	unscheduled := func(p *Pod) {
		p.Phase, p.Ready, p.Unscheduled, p.Trouble = planner.Pending, false, true, "Unschedulable: no nodes"
	}
	failed := func(level int) func(*Pod) {
		return func(p *Pod) {
			p.Phase, p.Ready, p.Trouble, p.Failure = planner.Left, false, "Error: exit code 3", planner.Failure{Level: level, At: ago(time.Second)}
		}
	}
	leaves := granted(contract.ReasonScaleDown, ago(time.Minute))
	next := time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC)
	cases := map[string]struct {
		observed Observed
		decided  Decided
		done     Done
		want     metav1.Condition
		wake     time.Time
	}{
		"the queue asks for no worker, and there is none": {
			want: isTrue(kind, ReasonIdle, "the queue asks for no worker"),
		},
		"as many are ready as the queue asks for": {
			observed: Observed{Pods: []Pod{worker("a"), worker("b")}}, decided: Decided{Desired: 2},
			want: isTrue(kind, ReasonReady, "2 of 2 workers are ready"),
		},
		"one is ready of one": {
			observed: Observed{Pods: []Pod{worker("a")}}, decided: Decided{Desired: 1},
			want: isTrue(kind, ReasonReady, "1 of 1 worker is ready"),
		},
		"workers come and go with their tasks": {
			observed: Observed{EndAfterTask: true, Pods: []Pod{worker("a", unready)}}, decided: Decided{Desired: 1, Rollout: Rollout{Proven: true}},
			want: isTrue(kind, ReasonReady, "0 of 1 worker is ready; each worker ends after its task, and the next one is starting"),
		},
		"workers came and went with their tasks, and now they fail": {
			observed: Observed{EndAfterTask: true, Pods: []Pod{worker("a", unready)}}, decided: Decided{Desired: 1, Failures: 1, Rollout: Rollout{Proven: true}},
			want: isFalse(kind, ReasonScalingUp, "0 of 1 worker is ready"),
		},
		"enough are ready, and another has no node": {
			observed: Observed{Pods: []Pod{worker("a"), worker("b", unscheduled)}}, decided: Decided{Desired: 1},
			want: isTrue(kind, ReasonReady, "1 of 1 worker is ready; the scheduler finds no node for 1 of 2 pods"),
		},
		"enough are ready, and one more finishes its task": {
			observed: Observed{Pods: []Pod{worker("a"), worker("b"), worker("c", leaves)}}, decided: Decided{Desired: 2},
			want: isTrue(kind, ReasonDraining, "2 of 2 workers are ready; 1 more finishes its task and leaves"),
		},
		"enough are ready, and two more finish their tasks": {
			observed: Observed{Pods: []Pod{worker("a", leaves), worker("b", leaves)}},
			want:     isTrue(kind, ReasonDraining, "0 of 0 workers are ready; 2 more finish their tasks and leave"),
		},
		"a worker that has a grant is none of those that the queue asks for": {
			observed: Observed{Pods: []Pod{worker("a"), worker("b", leaves)}}, decided: Decided{Desired: 2},
			want: isFalse(kind, ReasonScalingUp, "1 of 2 workers is ready"),
		},
		"a pod starts": {
			observed: Observed{Pods: []Pod{worker("a", troubled(""))}}, decided: Decided{Desired: 1},
			want: isFalse(kind, ReasonScalingUp, "0 of 1 worker is ready"),
		},
		"a pod cannot run": {
			observed: Observed{Pods: []Pod{worker("a", troubled("ErrImagePull: no such image"))}}, decided: Decided{Desired: 1},
			want: isFalse(kind, ReasonWorkersNotReady, "pod a does not work: ErrImagePull: no such image"),
		},
		"three pods cannot run": {
			observed: Observed{Pods: []Pod{worker("a"), worker("b", unscheduled), worker("c", unscheduled), worker("d", troubled("ErrImagePull"))}},
			decided:  Decided{Desired: 4},
			want:     isFalse(kind, ReasonWorkersNotReady, "3 pods do not work (b, c, d); pod b: Unschedulable: no nodes; the scheduler finds no node for 2 of 4 pods"),
		},
		"four pods cannot run": {
			observed: Observed{Pods: []Pod{worker("b", troubled("x")), worker("c", troubled("y")), worker("d", troubled("y")), worker("e", troubled("y"))}},
			decided:  Decided{Desired: 4},
			want:     isFalse(kind, ReasonWorkersNotReady, "4 pods do not work (b, c, d and 1 more); pod b: x"),
		},
		"the trouble of a pod that runs is not why workers are missing": {
			observed: Observed{Pods: []Pod{worker("a", unready, func(p *Pod) { p.Trouble = "restarted 2 times" })}}, decided: Decided{Desired: 1},
			want: isFalse(kind, ReasonScalingUp, "0 of 1 worker is ready"),
		},
		"a worker has just become ready": {
			observed: Observed{Pods: []Pod{worker("a", since(9*time.Second, 10*time.Second))}}, decided: Decided{Desired: 1},
			want: isFalse(kind, ReasonScalingUp, "1 of 1 worker is ready, but not for 10s yet"), wake: now.Add(time.Second),
		},
		"it stays ready": {
			observed: Observed{Pods: []Pod{worker("a", since(10*time.Second, 10*time.Second))}}, decided: Decided{Desired: 1},
			want: isTrue(kind, ReasonReady, "1 of 1 worker is ready"),
		},
		"two of three have just become ready": {
			observed: Observed{Pods: []Pod{
				worker("a", since(4*time.Second, 10*time.Second)), worker("b"), worker("c", since(6*time.Second, 10*time.Second)),
			}}, decided: Decided{Desired: 3},
			want: isFalse(kind, ReasonScalingUp, "3 of 3 workers are ready, but not all of them for 10s yet"), wake: now.Add(6 * time.Second),
		},
		"one more than enough has just become ready": {
			observed: Observed{Pods: []Pod{worker("a", since(time.Second, 10*time.Second)), worker("b")}}, decided: Decided{Desired: 1},
			want: isTrue(kind, ReasonReady, "2 of 1 worker is ready"),
		},
		"some are missing, whatever the others do by time alone": {
			observed: Observed{Pods: []Pod{worker("a", since(time.Second, 10*time.Second)), worker("b", troubled(""))}}, decided: Decided{Desired: 2},
			want: isFalse(kind, ReasonScalingUp, "1 of 2 workers is ready"),
		},
		"a worker that crashes is ready again for a moment": {
			observed: Observed{Pods: []Pod{worker("a", crashed("exit code 3 after 2s"), since(time.Second, 20*time.Second))}}, decided: Decided{Desired: 1},
			want: isFalse(kind, ReasonWorkersNotReady, "pod a does not work: exit code 3 after 2s"), wake: now.Add(19 * time.Second),
		},
		"a worker that crashed, and is not ready again": {
			observed: Observed{Pods: []Pod{worker("a", crashed("exit code 3 after 2s"), unready)}}, decided: Decided{Desired: 1},
			want: isFalse(kind, ReasonWorkersNotReady, "pod a does not work: exit code 3 after 2s"),
		},
		"a worker that crashed, and stays up": {
			observed: Observed{Pods: []Pod{worker("a", crashed("exit code 3 after 2s"), since(20*time.Second, 20*time.Second))}}, decided: Decided{Desired: 1},
			want: isTrue(kind, ReasonReady, "1 of 1 worker is ready"),
		},
		"a worker that crashed and leaves is not what is missing": {
			observed: Observed{Pods: []Pod{worker("a", crashed("exit code 3 after 2s"), leaves)}}, decided: Decided{Desired: 1},
			want: isFalse(kind, ReasonScalingUp, "0 of 1 worker is ready"),
		},
		"the broker refuses to take back the tasks of one dead worker": {
			observed: Observed{Recovery: Recovery{Failing: []string{"w"}, Why: "NOPERM"}},
			want: isFalse(kind, ReasonReclaimFailed,
				"cannot return the tasks of 1 dead worker (w) to the queue: NOPERM; QScaler tries again. Check the rights of the broker's user, and that the server accepts writes"),
		},
		"the broker refuses to take back the tasks of four, and to say who else holds some": {
			observed: Observed{Recovery: Recovery{Failing: []string{"a", "b", "c", "d"}, Why: "READONLY", SearchFailed: "NOPERM"}},
			want: isFalse(kind, ReasonReclaimFailed,
				"cannot return the tasks of 4 dead workers (a, b, c and 1 more) to the queue: READONLY; QScaler tries again. Check the rights of the broker's user, and that the server accepts writes"),
		},
		"the broker refuses to say which workers hold tasks": {
			observed: Observed{Recovery: Recovery{SearchFailed: "NOPERM"}},
			want: isFalse(kind, ReasonReclaimFailed,
				"cannot look for the tasks of workers that died while no operator was running: NOPERM; QScaler tries again. Check the rights of the broker's user"),
		},
		"a worker has failed once": {
			observed: Observed{Pods: []Pod{worker("a", failed(1)), worker("b", failed(1), of("r2"))}, Recovery: Recovery{SearchFailed: "NOPERM"}},
			decided:  Decided{Desired: 1, BackOff: planner.BackOff{Revision: "r1", Level: 1, Until: next}},
			want: isFalse(kind, ReasonBackOff,
				"a worker of revision r1 failed once; QScaler creates the next one at 2026-01-02T03:05:00Z; the last one was pod a: Error: exit code 3; see kubectl logs a"),
		},
		"workers have failed twice, and the pod of the last is gone": {
			observed: Observed{Pods: []Pod{worker("a", failed(1))}},
			decided:  Decided{Desired: 1, BackOff: planner.BackOff{Revision: "r1", Level: 2, Until: next}},
			want:     isFalse(kind, ReasonBackOff, "workers of revision r1 failed 2 times in a row; QScaler creates the next one at 2026-01-02T03:05:00Z"),
		},
		"the queue cannot be read": {
			observed: Observed{Queue: Queue{Problem: &Problem{"Timeout", "no answer"}}}, decided: Decided{BackOff: planner.BackOff{Level: 1}},
			want: isFalse(kind, "Timeout", "no answer"),
		},
		"the fleet cannot grow": {
			observed: Observed{Queue: Queue{Problem: &Problem{"Timeout", "no answer"}}}, done: Done{Uncreated: "exceeded quota"},
			want: isFalse(kind, ReasonWriteFailed, "exceeded quota"),
		},
		"the API server refuses pods, and none is wanted": {
			done: Done{Uncreated: "no image", PodRefused: true},
			want: isFalse(kind, ReasonPodRefused, "no image"),
		},
		"a write has failed": {
			done: Done{Failure: &Problem{ReasonWriteFailed, "patching pod a, no"}, Uncreated: "exceeded quota"},
			want: isFalse(kind, ReasonWriteFailed, "patching pod a, no"),
		},
		"a read has failed": {
			done: Done{Failure: &Problem{ReasonReadFailed, "listing pods, no"}},
			want: isFalse(kind, ReasonReadFailed, "listing pods, no"),
		},
		"the spec cannot be followed": {
			observed: Observed{Stalled: &Problem{ReasonInvalidPodSpec, "a mount collides"}}, done: Done{Failure: &Problem{ReasonWriteFailed, "no"}},
			want: isFalse(kind, ReasonInvalidPodSpec, "a mount collides"),
		},
		"it is being deleted": {
			observed: Observed{Deleting: true, Stalled: &Problem{ReasonInvalidPodSpec, "a mount collides"}},
			want:     isFalse(kind, ReasonDeleting, "the last worker has left"),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			st := &v1alpha1.QWorkerStatus{DesiredReplicas: c.decided.Desired}
			countPods(st, c.observed.Pods, "r1")
			got, wake := ready(now, st, c.observed, c.decided, c.done)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !wake.Equal(c.wake) {
				t.Errorf("it changes by itself at %s, want %s", wake, c.wake)
			}
		})
	}
}

func TestDeletingMessage(t *testing.T) {
	unreachable := func(node string) func(*Pod) { return func(p *Pod) { p.Unreachable, p.Node = true, node } }
	cases := map[string]struct {
		pods     []Pod
		recovery Recovery
		failure  *Problem
		want     string
	}{
		"nothing is left": {nil, Recovery{}, nil, "the last worker has left"},
		"a pod that has left is not waited for": {
			[]Pod{worker("a", in(planner.Left), unreachable("n1"))}, Recovery{}, nil, "the last worker has left",
		},
		"one worker is at its task": {
			[]Pod{worker("a")}, Recovery{}, nil,
			"1 worker is finishing its task. To delete the QWorker without waiting, delete the pods, or remove the finalizer quickube.com/workers",
		},
		"two workers are, one of them on SIGTERM": {
			[]Pod{worker("a"), worker("b", in(planner.Terminating))}, Recovery{}, nil,
			"2 workers are finishing their tasks. To delete the QWorker without waiting, delete the pods, or remove the finalizer quickube.com/workers",
		},
		"the tasks of one dead worker are not back": {
			nil, Recovery{Outstanding: 1}, nil,
			"the tasks of 1 dead worker are not back in the queue yet. To delete the QWorker without waiting, remove the finalizer quickube.com/workers; after that QScaler returns no more tasks of dead workers: unless the broker returns them by itself, you must do it by hand",
		},
		"nor those of two, for the broker is away": {
			nil, Recovery{Outstanding: 2, Holdup: "no answer"}, nil,
			"the tasks of 2 dead workers are not back in the queue yet: no answer. To delete the QWorker without waiting, remove the finalizer quickube.com/workers; after that QScaler returns no more tasks of dead workers: unless the broker returns them by itself, you must do it by hand",
		},
		"tasks are looked for": {
			nil, Recovery{Searching: true}, nil,
			"QScaler still looks for the tasks of workers that died while no operator was running. To delete the QWorker without waiting, remove the finalizer quickube.com/workers; after that QScaler returns no more tasks of dead workers: unless the broker returns them by itself, you must do it by hand",
		},
		"and cannot be found": {
			nil, Recovery{Searching: true, SearchHoldup: "NOPERM"}, nil,
			"QScaler still looks for the tasks of workers that died while no operator was running: NOPERM. To delete the QWorker without waiting, remove the finalizer quickube.com/workers; after that QScaler returns no more tasks of dead workers: unless the broker returns them by itself, you must do it by hand",
		},
		"and not for ever": {
			nil, Recovery{Outstanding: 1, Holdup: "NOPERM", Searching: true, WaitsUntil: now}, nil,
			"the tasks of 1 dead worker are not back in the queue yet: NOPERM; QScaler still looks for the tasks of workers that died while no operator was running; QScaler waits for that until " + now.UTC().Format(time.RFC3339) + " at the latest, and then lets the QWorker go; what has not returned stays in the broker. To delete the QWorker without waiting, remove the finalizer quickube.com/workers; after that QScaler returns no more tasks of dead workers: unless the broker returns them by itself, you must do it by hand",
		},
		"a node does not answer": {
			[]Pod{worker("a", unreachable("n1"))}, Recovery{}, nil,
			"1 worker is finishing its task; 1 worker may still run on nodes that do not answer: pod a on node n1. If you are sure that such a node is down, run kubectl delete pod NAME --force. To delete the QWorker without waiting, delete the pods, or remove the finalizer quickube.com/workers",
		},
		"four nodes do not answer": {
			[]Pod{worker("a", unreachable("n1")), worker("b", unreachable("n2")), worker("c", unreachable("n3")), worker("d", unreachable("n4"))}, Recovery{}, nil,
			"4 workers are finishing their tasks; 4 workers may still run on nodes that do not answer: pod a on node n1, pod b on node n2, pod c on node n3 and 1 more. If you are sure that such a node is down, run kubectl delete pod NAME --force. To delete the QWorker without waiting, delete the pods, or remove the finalizer quickube.com/workers",
		},
		"the API server does not answer": {
			nil, Recovery{}, &Problem{ReasonWriteFailed, "setting the finalizers, no"},
			"setting the finalizers, no. To delete the QWorker without waiting, remove the finalizer quickube.com/workers",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			st := &v1alpha1.QWorkerStatus{}
			countPods(st, c.pods, "r1")
			if diff := cmp.Diff(c.want, deletingMessage(st, Observed{Deleting: true, Pods: c.pods, Recovery: c.recovery}, c.failure)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
