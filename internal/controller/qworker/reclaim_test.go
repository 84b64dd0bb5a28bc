package qworker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// busy makes a fleet of one worker that is at work.
func (c *cluster) busy(q qw) corev1.Pod {
	c.Helper()
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 1)
	p := c.awaitPods(q.Name, 1)[0]
	c.run(p)
	c.hold(q.queueName(), p.Name)
	c.awaitCondition(q.Name, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	return p
}

// vanish takes a pod from the API server, as an unreachable node or a force does.
func (c *cluster) vanish(p corev1.Pod) {
	c.Helper()
	if err := c.Delete(c.Context(), &p, client.GracePeriodSeconds(0)); err != nil {
		c.Fatal(err)
	}
}

// awaitMessage waits for a QWorker's Ready to say something.
func (c *cluster) awaitMessage(worker string, parts ...string) {
	c.Helper()
	c.eventually("Ready says "+strings.Join(parts, ", "), func() string {
		for _, condition := range c.status(worker).Conditions {
			if condition.Type != v1alpha1.ConditionReady {
				continue
			}
			for _, part := range parts {
				if !strings.Contains(condition.Message, part) {
					return "it says " + condition.Message
				}
			}
			return ""
		}
		return "there is no condition"
	})
}

// Nobody saw the pod die: its list is looked for before the QWorker goes, and for as long as that takes the
// QWorker says what it waits for.
func TestADeletedQWorkerLooksForWhatDiedUnseen(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	p := c.busy(q)
	c.stop()
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	c.vanish(p)
	if err := c.redis.Pause(); err != nil { // and not Kill: another test's server may get its port
		t.Fatal(err)
	}
	c.startOperator()
	c.awaitMessage("w", "still looks for the tasks", "no answer in time", "remove the finalizer")
	if err := c.redis.Resume(); err != nil {
		t.Fatal(err)
	}
	c.awaitGone(q.QWorker)
	if n, _ := c.do("LLEN", q.queueName()).AsInt64(); n != 1 {
		t.Errorf("the queue has %d tasks, want the one that the dead worker held", n)
	}
}

// The worker has left well, and nobody can say that it held nothing: the QWorker waits, and says for what.
func TestADeletedQWorkerSaysThatItWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	p := c.busy(q)
	if err := c.redis.Pause(); err != nil {
		t.Fatal(err)
	}
	c.awaitCondition("w", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "Timeout")
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	c.awaitGrants("w", 1)
	c.exit(0, p)
	c.awaitMessage("w", "the tasks of 1 dead worker are not back in the queue yet", "no answer in time", "remove the finalizer")
	if err := c.redis.Resume(); err != nil {
		t.Fatal(err)
	}
	c.awaitGone(q.QWorker)
	c.awaitLength(q.queueName(), 1)
}

// Nobody has worked on a queue that was never read, so that nothing is to be reclaimed.
func TestADeletedQWorkerWhoseQueueWasNeverReadGoes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 1)
	config := c.scalerConfig("config")
	config.Spec.Config.Host = "nowhere.invalid"
	c.create(config, q)
	p := c.awaitPods("w", 1)[0]
	c.run(p)
	c.awaitCondition("w", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "HostNotFound")
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	c.awaitGrants("w", 1)
	c.exit(0, p)
	c.awaitGone(q.QWorker)
}

// What an earlier operator has read is not in the status where it could not write it. Its pods may have worked.
func TestADeletedQWorkerWaitsForAQueueThatAnEarlierOperatorMayHaveRead(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 1)
	if err := c.redis.Pause(); err != nil {
		t.Fatal(err)
	}
	c.create(c.scalerConfig("config"), q)
	p := c.awaitPods("w", 1)[0]
	c.run(p)
	c.awaitCondition("w", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "Timeout")
	c.stop()
	if err := c.redis.Resume(); err != nil {
		t.Fatal(err)
	}
	c.push(q.queueName(), 1)
	c.hold(q.queueName(), p.Name)
	if err := c.redis.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	c.vanish(p)
	c.startOperator()
	c.awaitMessage("w", "still looks for the tasks", "no answer in time", "remove the finalizer")
	if err := c.redis.Resume(); err != nil {
		t.Fatal(err)
	}
	c.awaitGone(q.QWorker)
	c.awaitLength(q.queueName(), 1)
}

// A broker's user without the right to reclaim tasks costs tasks their time, and the cluster nothing.
func TestPodsDoNotPileUpWhereTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 1)
	p := c.busy(q)
	c.do("ACL", "SETUSER", "default", "-eval", "-evalsha")
	since := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"Maintenance",%q:"%s,0"}}}`, contract.AnnotationDrain, contract.AnnotationDrainSince, since)
	if err := c.Patch(t.Context(), &p, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	c.exit(0, p)
	c.eventually("its departure is noted while its pod is there", func() string {
		if c.status("w").LastDepartureTime == nil {
			return "there is none"
		}
		return ""
	})
	c.awaitGone(&p)
	c.run(c.awaitPods("w", 1)...)
	condition := c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "ReclaimFailed")
	if !strings.Contains(condition.Message, p.Name) || !strings.Contains(condition.Message, "NOPERM") {
		t.Errorf("the message is %q, want the pod and the broker's words in it", condition.Message)
	}
	c.awaitCondition("w", v1alpha1.ConditionReconciling, metav1.ConditionTrue, "ReclaimFailed")

	// The list is known without the pod.
	c.do("ACL", "SETUSER", "default", "+eval")
	c.awaitLength(q.queueName(), 1)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
}

// setReclaim says whether the tasks of dead workers are the operator's to reclaim.
func (c *cluster) setReclaim(value bool) {
	c.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"config":{"reclaim":%t}}}`, value)
	if err := c.Patch(c.Context(), c.configOf("config"), client.RawPatch(types.MergePatchType, patch)); err != nil {
		c.Fatal(err)
	}
}

// What the operator was told not to look after is looked for when it is told to look after it again.
func TestWhatDiedWhileNothingWasToBeReclaimedIsFound(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 1)
	first := c.busy(q)
	c.do("ACL", "SETUSER", "default", "-eval", "-evalsha")
	c.vanish(first)
	second := c.awaitSuccessor(first)
	c.run(second)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "ReclaimFailed")

	c.setReclaim(false)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	c.do("ACL", "SETUSER", "default", "+eval", "+evalsha")
	c.push(q.queueName(), 1)
	c.hold(q.queueName(), second.Name)
	c.vanish(second)
	c.awaitSuccessor(second)
	c.awaitLength(q.queueName(), 0)

	c.setReclaim(true)
	c.awaitLength(q.queueName(), 2)
}

// awaitSuccessor waits for the pod that takes another one's place.
func (c *cluster) awaitSuccessor(p corev1.Pod) (successor corev1.Pod) {
	c.Helper()
	c.eventually("a pod in place of "+p.Name, func() string {
		pods := c.pods(p.Labels[contract.LabelQWorker])
		if len(pods) != 1 || pods[0].Name == p.Name {
			return fmt.Sprintf("there are %d", len(pods))
		}
		successor = pods[0]
		return ""
	})
	return successor
}

// A broker's user that may not look for the lists of dead workers leaves them there: somebody must know.
func TestThatNobodyCanLookForWhatDiedUnseenIsSaid(t *testing.T) {
	t.Parallel()
	c := newAdjustedCluster(t, func(o *operator.Options) { o.SafetyInterval = 200 * time.Millisecond })
	c.do("ACL", "SETUSER", "default", "-scan")
	q := makeQWorker("w").replicas(1, 1)
	c.create(c.scalerConfig("config"), q)
	c.run(c.awaitPods("w", 1)...)
	condition := c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "ReclaimFailed")
	if !strings.Contains(condition.Message, "cannot look for the tasks") || !strings.Contains(condition.Message, "NOPERM") {
		t.Errorf("the message is %q, want the broker's words in it", condition.Message)
	}
	c.awaitEvent("ReclaimFailed")
	c.do("ACL", "SETUSER", "default", "+scan")
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
}

// A deleted QWorker that waits for a search that the broker refuses says so, and how to go on. It goes once the right is
// there.
func TestADeletedQWorkerSaysThatTheBrokerRefusesItsSearch(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	p := c.busy(q)
	c.stop()
	c.do("ACL", "SETUSER", "default", "-scan")
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	c.vanish(p)
	c.startOperator()
	c.awaitMessage("w", "still looks for the tasks", "NOPERM", "remove the finalizer")
	c.do("ACL", "SETUSER", "default", "+scan")
	c.awaitGone(q.QWorker)
	c.awaitLength(q.queueName(), 1)
}

func (c *cluster) awaitEvent(reason string) {
	c.Helper()
	c.eventually("the event "+reason, func() string {
		for _, e := range c.events() {
			if e.Reason == reason {
				return ""
			}
		}
		return "there is none"
	})
}

// Pods of a former queue that die while no operator watches held tasks too, even where the history has no room for
// their revision.
func TestWhatDiedUnseenOnAFormerQueueIsFound(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 10).rollout(func(r *v1alpha1.RolloutSpec) { r.RevisionHistoryLimit = ptr.To[int32](0) })
	p := c.busy(q)
	before := c.status("w").CurrentPodSpecHash
	patch := []byte(`{"spec":{"scaleConfig":{"queue":"other"}}}`)
	if err := c.Patch(t.Context(), q.DeepCopy(), client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
	for _, other := range c.awaitPods("w", 2) {
		if other.Name != p.Name {
			c.run(other)
		}
	}
	c.awaitGrants("w", 1)
	if now := c.status("w").CurrentPodSpecHash; now == before {
		t.Fatalf("%s is published still", now)
	}
	c.stop()
	c.vanish(p)
	c.startOperator()
	c.awaitLength(redislist.Processing(q.queueName(), p.Name), 0)
	c.awaitLength(q.queueName(), 1)
}

// Whoever deletes everything at once does not mean the tasks.
func TestTasksReturnThoughTheScalerConfigIsDeletedToo(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	p := c.busy(q)
	for _, object := range []client.Object{q.QWorker, c.configOf("config")} {
		if err := c.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	c.awaitGrants("w", 1)
	c.vanish(p)
	c.awaitGone(q.QWorker)
	c.awaitLength(q.queueName(), 1)
}

func (c *cluster) configOf(name string) *v1alpha1.ScalerConfig {
	c.Helper()
	var config v1alpha1.ScalerConfig
	if err := c.Get(c.Context(), client.ObjectKey{Namespace: c.namespace, Name: name}, &config); err != nil {
		c.Fatal(err)
	}
	return &config
}
