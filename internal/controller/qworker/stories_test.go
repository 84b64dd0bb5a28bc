package qworker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

func TestMessagesBecomeWorkersAndLeaveAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	c.create(c.scalerConfig("config"), q)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Idle")

	c.push(q.queueName(), 3)
	pods := c.awaitPods("w", 3)
	c.run(pods...)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

	// Two tasks are taken, the third is done: one worker too many, the idle one.
	c.hold(q.queueName(), pods[0].Name)
	c.hold(q.queueName(), pods[1].Name)
	c.do("DEL", q.queueName())
	with, _ := c.awaitGrants("w", 1)
	if with[0].Name != pods[2].Name {
		t.Errorf("a grant was given to %s, which is busy; %s is idle", with[0].Name, pods[2].Name)
	}
	if got := with[0].Annotations[contract.AnnotationDrain]; got != "ScaleDown" {
		t.Errorf("the reason is %q, want ScaleDown", got)
	}
	since, restarts, _ := strings.Cut(with[0].Annotations[contract.AnnotationDrainSince], ",")
	if _, err := time.Parse(time.RFC3339Nano, since); err != nil || restarts != "0" {
		t.Errorf("drain-since is %q, want a time and 0 restarts", with[0].Annotations[contract.AnnotationDrainSince])
	}
	c.exit(0, with...)
	c.awaitPods("w", 2)

	st := c.status("w")
	if st.DesiredReplicas != 2 || st.CurrentPodSpecHash == "" || st.CurrentPodSpecHash != pods[0].Labels[contract.LabelPodSpecHash] {
		t.Errorf("status = %+v, want 2 desired and the pods' hash", st)
	}
	for _, pod := range pods[:2] {
		c.do("DEL", redislist.Processing(q.queueName(), pod.Name))
	}
	with, _ = c.awaitGrants("w", 2)
	c.exit(0, with...)
	c.awaitPods("w", 0)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Idle")
}

func TestDemandThatReturnsWithdrawsGrants(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 10)
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 4)
	pods := c.awaitPods("w", 4)
	c.run(pods...)
	c.do("DEL", q.queueName())
	c.awaitGrants("w", 3)
	c.push(q.queueName(), 4)
	c.awaitGrants("w", 0)
	if n := len(c.pods("w")); n != 4 {
		t.Errorf("there are %d pods, want the same 4: grants are withdrawn before pods are created", n)
	}
}

// While the queue cannot be read, nobody gets a grant, no grant is withdrawn, and the desired number holds.
func TestABrokerThatIsAwayChangesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(0, 10)
	c.push(q.queueName(), 4)
	c.settled(q, 4)
	c.do("RPOP", q.queueName())
	leaving, staying := c.awaitGrants("w", 1)

	if err := c.redis.Pause(); err != nil { // and not Kill: another test's server may get its port
		t.Fatal(err)
	}
	c.awaitCondition("w", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "Timeout")
	unchanged := func(when string) {
		t.Helper()
		c.reconcileAnew("w")
		with, without := granted(c.pods("w"))
		if desired := c.status("w").DesiredReplicas; desired != 3 || len(without) != 3 || len(with) != 1 || with[0].Name != leaving[0].Name {
			t.Errorf("%s: %d desired, %d workers without leave, and %d with it; want 3, 3, and %s\n%s",
				when, desired, len(without), len(with), leaving[0].Name, c.picture())
		}
	}
	unchanged("while the broker is away")
	c.stop()
	c.startOperator()
	c.awaitCondition("w", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "Timeout")
	unchanged("after a restart of the operator")

	c.vanish(staying[0])
	c.awaitPods("w", 4) // the desired number holds
	unchanged("after a worker was replaced")

	if err := c.redis.Resume(); err != nil {
		t.Fatal(err)
	}
	c.awaitCondition("w", v1alpha1.ConditionBrokerReachable, metav1.ConditionTrue, "ReadSucceeded")
	unchanged("once it is back")
}

// reconcileAnew changes the QWorker in a way that asks for nothing, and waits until it was reconciled as it is now.
func (c *cluster) reconcileAnew(worker string) {
	c.Helper()
	var w v1alpha1.QWorker
	if err := c.Get(c.Context(), client.ObjectKey{Namespace: c.namespace, Name: worker}, &w); err != nil {
		c.Fatal(err)
	}
	before := w.DeepCopy()
	w.Spec.ScaleConfig.MaxReplicas++
	if err := c.Patch(c.Context(), &w, client.MergeFrom(before)); err != nil {
		c.Fatal(err)
	}
	c.eventually("the change to be seen", func() string {
		if seen := c.status(worker).ObservedGeneration; seen != w.Generation {
			return fmt.Sprintf("it is at %d of %d", seen, w.Generation)
		}
		return ""
	})
}

func TestARevisionProvesItselfFirst(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(4, 10)
	c.create(c.scalerConfig("config"), q)
	old := c.awaitPods("w", 4)
	c.run(old...)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	before := c.status("w").CurrentPodSpecHash

	c.setImage("w", "worker:2")
	pods := c.awaitPods("w", 5)
	var canary corev1.Pod
	for _, p := range pods {
		if p.Labels[contract.LabelPodSpecHash] != before {
			canary = p
		}
	}
	if got := envValue(canary, contract.EnvPodSpecHash); got != before {
		t.Errorf("a canary has POD_SPEC_HASH %q, want the published %q", got, before)
	}
	if got := c.status("w").CurrentPodSpecHash; got != before {
		t.Errorf("the hash moved to %s before a pod of it was ready", got)
	}
	c.run(canary)
	c.eventually("the hash moves", func() string {
		if c.status("w").CurrentPodSpecHash == before {
			return "it has not"
		}
		return ""
	})
	with, _ := c.awaitGrants("w", 1)
	if got := with[0].Annotations[contract.AnnotationDrain]; got != "Rollout" {
		t.Errorf("the reason is %q, want Rollout", got)
	}
	// The rest of the way: whoever has a grant leaves, whoever is new becomes ready.
	c.eventually("everyone is new", func() string {
		newOnes := 0
		for _, p := range c.pods("w") {
			switch {
			case p.Annotations[contract.AnnotationDrain] != "" && p.Status.Phase == corev1.PodRunning:
				c.exit(0, p)
			case p.Labels[contract.LabelPodSpecHash] != before && p.Status.Phase == corev1.PodPending:
				c.run(p)
			}
			if p.Labels[contract.LabelPodSpecHash] != before {
				newOnes++
			}
		}
		if n := len(c.pods("w")); newOnes != 4 || n != 4 {
			return fmt.Sprintf("%d pods, %d of them new", n, newOnes)
		}
		return ""
	})
	c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "RevisionAvailable")
}

func (c *cluster) setImage(worker, image string) {
	c.Helper()
	patch := fmt.Sprintf(`{"spec":{"podSpec":{"containers":[{"name":"worker","image":%q}]}}}`, image)
	object := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: worker}}
	if err := c.Patch(c.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		c.Fatal(err)
	}
}

func envValue(pod corev1.Pod, name string) string {
	for _, v := range pod.Spec.Containers[0].Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

func TestDeletionLetsWorkersFinish(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 10)
	c.create(c.scalerConfig("config"), q)
	pods := c.awaitPods("w", 2)
	c.run(pods[0]) // the other never runs
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "ScalingUp")

	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	with, _ := c.awaitGrants("w", 1)
	if with[0].Name != pods[0].Name || with[0].Annotations[contract.AnnotationDrain] != "Delete" {
		t.Errorf("%s got a grant for %s, want %s for Delete", with[0].Name, with[0].Annotations[contract.AnnotationDrain], pods[0].Name)
	}
	c.awaitPods("w", 1)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "Deleting")
	c.exit(0, with...)
	c.eventually("the QWorker is gone", func() string {
		err := c.Get(c.Context(), client.ObjectKeyFromObject(q), &v1alpha1.QWorker{})
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it is there (%v)", err)
	})
	var revisions appsv1.ControllerRevisionList
	if err := c.List(t.Context(), &revisions, client.InNamespace(c.namespace)); err != nil {
		t.Fatal(err)
	}
	if len(revisions.Items)+len(c.pods("w")) > 0 {
		t.Errorf("%d revisions and %d pods are left", len(revisions.Items), len(c.pods("w")))
	}
}

func TestTasksOfPodsThatAreGoneReturn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 2)
	pods := c.awaitPods("w", 2)
	c.run(pods...)
	c.hold(q.queueName(), pods[0].Name)
	c.hold(q.queueName(), pods[1].Name)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

	// One pod vanishes under the operator's eyes, one while it is away; a stranger's list is left alone.
	stranger := redislist.Processing(q.queueName(), "somebody-else")
	c.do("RPUSH", stranger, "mine")
	remove := func(p corev1.Pod) {
		if err := c.Delete(t.Context(), &p, client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
	}
	remove(pods[0])
	c.awaitLength(q.queueName(), 1)
	c.stop()
	remove(pods[1])
	c.startOperator()
	c.awaitLength(q.queueName(), 2)
	if n, _ := c.do("LLEN", stranger).AsInt64(); n != 1 {
		t.Error("a list of somebody else's was taken")
	}
}

func (c *cluster) awaitLength(key string, want int64) {
	c.Helper()
	c.eventually(fmt.Sprintf("%s has %d", key, want), func() string {
		if n, _ := c.do("LLEN", key).AsInt64(); n != want {
			return fmt.Sprintf("it has %d", n)
		}
		return ""
	})
}

func TestWhatIsMissingIsNamedAndOthersGoOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	lonely, good := makeQWorker("lonely"), makeQWorker("good")
	lonely.Spec.ScaleConfig.ScalerConfigRef = "nowhere"
	nosecret := makeQWorker("nosecret")
	nosecret.Spec.ScaleConfig.ScalerConfigRef = "nosecret"
	config := c.scalerConfig("nosecret")
	config.Spec.Config.Password = &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: "s", Key: "k"}}
	c.create(lonely, nosecret, config, c.scalerConfig("config"), good)

	stalled := c.awaitCondition("lonely", v1alpha1.ConditionStalled, metav1.ConditionTrue, "ScalerConfigNotFound")
	if !strings.Contains(stalled.Message, "nowhere") {
		t.Errorf("the message does not name the ScalerConfig: %s", stalled.Message)
	}
	c.awaitCondition("nosecret", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "SecretNotFound")
	c.push(good.queueName(), 1)
	c.awaitPods("good", 1)

	// What was missing comes, and all is well without a further touch.
	c.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"k": []byte("")}})
	nowhere := c.scalerConfig("nowhere")
	c.create(nowhere)
	c.push(lonely.queueName(), 1)
	c.awaitPods("lonely", 1)
	c.awaitCondition("nosecret", v1alpha1.ConditionBrokerReachable, metav1.ConditionTrue, "ReadSucceeded")
}

// A worker's request that hung in a connection can reach Redis after the pod's list was reclaimed.
func TestATaskThatTurnsUpLateReturnsToo(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 1)
	pod := c.awaitPods("w", 1)[0]
	c.run(pod)
	c.hold(q.queueName(), pod.Name)
	if err := c.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	c.awaitLength(q.queueName(), 1)
	c.hold(q.queueName(), pod.Name)
	c.awaitLength(redislist.Processing(q.queueName(), pod.Name), 0)
	c.awaitLength(q.queueName(), 1)
}
