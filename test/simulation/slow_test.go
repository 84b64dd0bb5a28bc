package simulation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/bubbletest"
	"github.com/quickube/qscaler/worker/contract"
)

// quickly is how long a reconciliation may take whose writes are answered at once. A reading takes longer.
const quickly = depthsTook / 2

// TestASlowBrokerDelaysNoReconciliation has a broker need 2 s for each reading. The fleet does its tasks, rolls out, is
// scaled down and is deleted, and no reconciliation waits for a reading: those of other fleets have their turn at once.
func TestASlowBrokerDelaysNoReconciliation(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	bubbletest.Run(t, func(t *testing.T) {
		w := newWorld(1)
		defer func() { w.operator.stop() }()
		w.signal = false
		w.calm()
		w.queues.setSlow(2 * time.Second)
		w.push(8, 20)
		w.awaitSettled(t)
		if w.watch.granted == 0 {
			t.Error("nobody was let go")
		}
		granted := w.watch.granted
		w.edit(func(q *v1alpha1.QWorker) { q.Spec.PodSpec.Containers[0].Image = "good:99" })
		w.images = 99
		w.awaitSettled(t)
		if w.watch.granted == granted {
			t.Error("nobody was let go for the new image")
		}
		w.checkPace(t)
		w.checkDeletion(t)
		if w.operator.longest > quickly {
			t.Errorf("a reconciliation took %s", w.operator.longest)
		}
	})
}

// TestASlowBrokerDelaysNoReconciliationOfWorkersThatEnd is the same for workers that end after their task: whether one had
// done its task before it ended at once, only a later reading tells.
func TestASlowBrokerDelaysNoReconciliationOfWorkersThatEnd(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	bubbletest.Run(t, func(t *testing.T) {
		w := newWorld(1)
		defer func() { w.operator.stop() }()
		w.signal, w.oneTask = false, true
		w.edit(func(q *v1alpha1.QWorker) { q.Spec = w.fleet().Spec })
		w.queues.setSlow(2 * time.Second)
		w.push(20, 2)
		const longest = 300
		w.finish(t, longest)
		w.checkPace(t)
		if w.operator.longest > quickly {
			t.Errorf("a reconciliation took %s", w.operator.longest)
		}
	})
}

// TestWhoIsLetGoIsIdleNow has a worker be idle by the last reading, and at a task by the time at which one of three is to
// leave. Another one leaves.
func TestWhoIsLetGoIsIdleNow(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	for _, slow := range []time.Duration{0, 2 * time.Second} {
		bubbletest.Run(t, func(t *testing.T) {
			w := idleFleet(t, 3)
			defer func() { w.operator.stop() }()
			w.queues.setSlow(slow)
			victim := w.firstToLeave()
			w.pushed++
			w.queues.hold(queue, victim, task{w.pushed, 20})
			w.edit(func(q *v1alpha1.QWorker) { q.Spec.ScaleConfig.MinReplicas = 2 })
			const longest = 10
			missing := w.settle(longest, func() string {
				if len(w.withGrants()) == 0 {
					return "nobody was let go"
				}
				return ""
			})
			if with := w.withGrants(); missing != "" || slices.Contains(with, victim) {
				w.fail(t, "%s are let go, and %s is at a task; %s", with, victim, missing)
			}
		})
	}
}

// TestABrokerThatDoesNotAnswerHoldsBackDeparturesAlone has a broker hang. Workers are created, nobody is let go, nothing
// is asked again and again, and a QWorker that is deleted lets all its workers go at once.
func TestABrokerThatDoesNotAnswerHoldsBackDeparturesAlone(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	bubbletest.Run(t, func(t *testing.T) {
		w := idleFleet(t, 3)
		defer func() { w.operator.stop() }()
		w.setOutage(false, true)
		minimum := func(n int32) { w.edit(func(q *v1alpha1.QWorker) { q.Spec.ScaleConfig.MinReplicas = n }) }

		minimum(2)
		w.second()
		minimum(5)
		w.second()
		if n := len(w.server.list(pods)); n != 5 {
			w.fail(t, "there are %d workers, want 5 at once", n)
		}
		minimum(2)
		w.second()
		rounds := w.operator.rounds
		const seconds = 60
		w.settle(seconds, func() string { return "wait" })
		if with := w.withGrants(); len(with) > 0 {
			w.fail(t, "%s are let go", with)
		}
		if n := w.operator.rounds - rounds; n > roundsPerSecond*seconds {
			t.Errorf("%d reconciliations in %d s", n, seconds)
		}
		w.delete()
		w.second()
		if with := w.withGrants(); len(with) != 5 {
			w.fail(t, "%d have a grant, want 5 at once", len(with))
		}
	})
}

// roundsPerSecond is how often a fleet is looked at in a second, on the average: once for what has happened to its pods,
// and once for a reading.
const roundsPerSecond = 2

// checkPace checks that readings are not requested again and again.
func (w *world) checkPace(t *testing.T) {
	t.Helper()
	if w.operator.rounds > roundsPerSecond*w.tick || w.queues.readings > w.tick {
		t.Errorf("%d reconciliations and %d readings in %d s", w.operator.rounds, w.queues.readings, w.tick)
	}
}

// TestDeparturesThatCannotBeWrittenAreNotTriedAgainAndAgain has the API server refuse all writes of pods while somebody is
// to leave. The pause before the next attempt grows, also that before the next reading, and the status says so once.
func TestDeparturesThatCannotBeWrittenAreNotTriedAgainAndAgain(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	bubbletest.Run(t, func(t *testing.T) {
		w := idleFleet(t, 3)
		defer func() { w.operator.stop() }()
		w.faults.refuses = pods
		w.edit(func(q *v1alpha1.QWorker) { q.Spec.ScaleConfig.MinReplicas = 2 })
		w.settle(20, func() string { return "wait" })
		const seconds = 120
		rounds, readings, version := w.operator.rounds, w.queues.readings, w.qworker().ResourceVersion
		w.settle(seconds, func() string { return "wait" })
		if n, m := w.operator.rounds-rounds, w.queues.readings-readings; n > seconds || m > seconds {
			t.Errorf("%d reconciliations and %d readings in %d s", n, m, seconds)
		}
		if c := meta.FindStatusCondition(w.qworker().Status.Conditions, v1alpha1.ConditionReady); c.Reason != "WriteFailed" || w.qworker().ResourceVersion != version {
			w.fail(t, "Ready is %+v, want WriteFailed, and that the status was not written again and again", c)
		}
		w.faults.refuses = ""
		const longest = 60
		if missing := w.settle(longest, w.unsettled); missing != "" {
			w.fail(t, "not settled: %s", missing)
		}
	})
}

// idleFleet is a world without trouble in which so many workers have done tasks and wait for others.
func idleFleet(t *testing.T, n int32) *world {
	w := newWorld(1)
	w.signal = false
	w.calm()
	w.edit(func(q *v1alpha1.QWorker) {
		q.Spec.ScaleConfig.MinReplicas, q.Spec.ScaleConfig.MaxReplicas = n, max(n, q.Spec.ScaleConfig.MaxReplicas)
		q.Spec.ScaleConfig.ScaleDownDelay = &metav1.Duration{}
	})
	w.push(int(n), 2)
	w.awaitSettled(t)
	w.settle(10, func() string { return "wait" })
	return w
}

func (w *world) awaitSettled(t *testing.T) {
	t.Helper()
	const longest = 600
	if missing := w.settle(longest, w.unsettled); missing != "" {
		w.fail(t, "not settled: %s", missing)
	}
}

// firstToLeave is the worker that leaves first where all are idle.
func (w *world) firstToLeave() string {
	list := w.server.list(pods)
	slices.SortFunc(list, func(a, b client.Object) int {
		if by := b.GetCreationTimestamp().Compare(a.GetCreationTimestamp().Time); by != 0 {
			return by
		}
		return strings.Compare(a.GetName(), b.GetName())
	})
	return list[0].GetName()
}

// withGrants are the pods that have a grant.
func (w *world) withGrants() []string {
	var names []string
	for _, o := range w.server.list(pods) {
		if o.(*corev1.Pod).Annotations[contract.AnnotationDrain] != "" {
			names = append(names, o.GetName())
		}
	}
	return names
}
