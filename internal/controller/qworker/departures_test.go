package qworker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// patchStatus changes a pod's status as a kubelet would.
func (c *cluster) patchStatus(pod corev1.Pod, change func(*corev1.PodStatus)) {
	c.Helper()
	if err := c.Get(c.Context(), client.ObjectKeyFromObject(&pod), &pod); err != nil {
		c.Fatal(err)
	}
	change(&pod.Status)
	if err := c.Status().Update(c.Context(), &pod); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) awaitGone(object client.Object) {
	c.Helper()
	c.eventually("it is gone", func() string {
		err := c.Get(c.Context(), client.ObjectKeyFromObject(object), object)
		if apierrors.IsNotFound(err) {
			return ""
		}
		return fmt.Sprintf("it is there (%v)", err)
	})
}

func TestTheLastTaskIsBackBeforeADeletedQWorkerGoes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 1)
	pod := c.awaitPods("w", 1)[0]
	c.hold(q.queueName(), pod.Name)
	c.patchStatus(pod, func(s *corev1.PodStatus) {
		s.Phase = corev1.PodRunning
		s.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "worker", RestartCount: 3,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		}}
	})
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	c.awaitGone(q.QWorker)
	if n, _ := c.do("LLEN", q.queueName()).AsInt64(); n != 1 {
		t.Errorf("the queue has %d tasks, want the one that the crashed worker held", n)
	}
}

func TestAFailedPodWithASidecarGivesItsTaskBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	q.Spec.PodSpec.RestartPolicy = corev1.RestartPolicyNever
	q.Spec.PodSpec.Containers = append(q.Spec.PodSpec.Containers, corev1.Container{Name: "sidecar", Image: "s:1"})
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 1)
	pod := c.awaitPods("w", 1)[0]
	c.run(pod)
	c.hold(q.queueName(), pod.Name)
	now := metav1.Now()
	c.patchStatus(pod, func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{
			{Name: "worker", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, StartedAt: now, FinishedAt: now}}},
			{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}
	})
	c.awaitLength(redislist.Processing(q.queueName(), pod.Name), 0)
	c.awaitLength(q.queueName(), 1)
}

func TestAScalerConfigThatIsAwayForAMomentLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	config := c.scalerConfig("config")
	c.create(config, q)
	c.push(q.queueName(), 1)
	pod := c.awaitPods("w", 1)[0]
	c.run(pod)
	c.hold(q.queueName(), pod.Name)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

	if err := c.Delete(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	c.awaitCondition("w", v1alpha1.ConditionStalled, metav1.ConditionTrue, "ScalerConfigNotFound")
	if err := c.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	c.awaitGone(&pod)
	c.create(c.scalerConfig("config"))
	c.awaitLength(q.queueName(), 1)
}

// The first specification's workers leave when their POD_SPEC_HASH is not the published one.
func TestTheHashIsPublishedThoughPodsAreRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.setQuota("0", "1")
	c.create(c.scalerConfig("config"), makeQWorker("w").replicas(3, 3))
	pod := c.awaitPods("w", 1)[0]
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "WriteFailed")
	if st := c.status("w"); st.CurrentPodSpecHash != envValue(pod, contract.EnvPodSpecHash) || st.DesiredReplicas != 3 {
		t.Errorf("status = %+v, want the pod's hash %s and 3 desired", st, envValue(pod, contract.EnvPodSpecHash))
	}
}

// A steady fleet costs nothing: no write, though a grant is old and the queue hovers below what minReplicas
// covers.
func TestASteadyFleetWritesNothing(t *testing.T) {
	t.Parallel()
	c, b := costed(t)
	q := makeQWorker("w").replicas(2, 5)
	c.settled(q, 2)
	since := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"Maintenance",%q:"%s,0"}}}`, contract.AnnotationDrain, contract.AnnotationDrainSince, since)
	if err := c.Patch(t.Context(), &c.pods("w")[0], client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.awaitPods("w", 3) {
		if p.Status.Phase != corev1.PodRunning {
			c.run(p)
		}
	}
	c.awaitCondition("w", v1alpha1.ConditionDraining, metav1.ConditionTrue, "NotHonoured")
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Draining")

	c.quiet(b)
	read := func(change func()) {
		c.Helper()
		before := c.callsOf("llen")
		change()
		c.eventually("the queue to be read", func() string {
			if c.callsOf("llen") == before {
				return "it has not been"
			}
			return ""
		})
	}
	for range 20 {
		read(func() { c.push(q.queueName(), 1) })
		read(func() { c.do("DEL", q.queueName()) })
	}
	<-time.After(quietFor)
	if diff := cmp.Diff(map[string]int{}, b.take()); diff != "" {
		t.Errorf("requests (-want +got):\n%s\n%s", diff, c.picture())
	}
}

func TestAWorkerThatKnowsSIGTERMAloneIsSignalled(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 5)
	q.Spec.Drain = &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: time.Hour}}
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 2)
	pods := c.awaitPods("w", 2)
	node := c.node("n") // a pod on a node stays until its kubelet has seen it end
	for _, p := range pods {
		c.bind(p, node)
	}
	pods = c.reload(pods...)
	c.run(pods...)
	c.hold(q.queueName(), pods[0].Name)
	c.do("DEL", q.queueName())
	c.eventually("the idle one is told by SIGTERM", func() string {
		p := c.reload(pods[1])[0]
		if p.DeletionTimestamp == nil {
			return "it is not deleted"
		}
		if p.DeletionGracePeriodSeconds == nil || *p.DeletionGracePeriodSeconds != 3600 {
			return fmt.Sprintf("its grace period is %v", p.DeletionGracePeriodSeconds)
		}
		if p.Annotations[contract.AnnotationDrain] != "" {
			return "it has a grant"
		}
		return ""
	})
	if p := c.reload(pods[0])[0]; p.DeletionTimestamp != nil {
		t.Errorf("the busy %s was signalled too", p.Name)
	}
}

// Whoever turns to Signal does so because grants are not honoured: those that were given are ended by SIGTERM, with
// the grace period of the new spec.
func TestTurningToSignalEndsGrantsThatNobodyReads(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(0, 5)
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 1)
	pod := c.awaitPods("w", 1)[0]
	c.bind(pod, c.node("n"))
	pod = c.reload(pod)[0]
	c.run(pod)
	c.showTask(q, pod)
	c.awaitGrants("w", 1)
	patch := []byte(`{"spec":{"drain":{"mode":"Signal","maxTaskDuration":"2h"}}}`)
	if err := c.Patch(t.Context(), q.QWorker, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
	c.eventually("it is told by SIGTERM", func() string {
		p := c.reload(pod)[0]
		if p.DeletionGracePeriodSeconds == nil || *p.DeletionGracePeriodSeconds != 7200 {
			return fmt.Sprintf("deleted at %v, grace period %v", p.DeletionTimestamp, p.DeletionGracePeriodSeconds)
		}
		return ""
	})
}

// Orphaned pods are nobody's: none gets a grant, and the QWorker is not held.
func TestAnOrphaningDeletionGrantsNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 5)
	c.settled(q, 2)
	if err := c.Delete(t.Context(), q.QWorker, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	c.eventually("the operator's finalizer is gone", func() string {
		var w v1alpha1.QWorker
		if err := c.Get(c.Context(), client.ObjectKeyFromObject(q), &w); err != nil {
			return err.Error()
		}
		if len(w.Finalizers) != 1 || w.Finalizers[0] != metav1.FinalizerOrphanDependents {
			return fmt.Sprintf("finalizers %v", w.Finalizers)
		}
		return ""
	})
	if with, without := granted(c.pods("w")); len(with) > 0 || len(without) != 2 {
		t.Errorf("%d pods have a grant, %d have not; want 2 left alone", len(with), len(without))
	}
}

// The garbage collector deletes the pods and revisions of a QWorker that is deleted in the foreground at once; there is
// none here. Until it has, workers get their grants as ever. Those that it has deleted have their grace period, nothing
// is made in their stead, and what they could not finish is back before the QWorker goes.
func TestAForegroundDeletionMakesNoReplacements(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 5)
	c.settled(q, 2)
	node := c.node("n") // a pod on a node stays until its kubelet has seen it end
	for _, p := range c.pods("w") {
		c.bind(p, node)
	}
	c.push(q.queueName(), 1)
	c.hold(q.queueName(), c.pods("w")[0].Name)
	if err := c.Delete(t.Context(), q.QWorker, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	with, _ := c.awaitGrants("w", 2)
	if err := c.DeleteAllOf(t.Context(), &appsv1.ControllerRevision{}, client.InNamespace(c.namespace)); err != nil {
		t.Fatal(err)
	}
	for _, p := range with {
		if err := c.Delete(t.Context(), &p); err != nil {
			t.Fatal(err)
		}
	}
	c.eventually("two workers that end", func() string {
		if st := c.status("w"); st.TerminatingReplicas != 2 {
			return fmt.Sprintf("there are %d", st.TerminatingReplicas)
		}
		return ""
	})
	for _, p := range c.pods("w") {
		if grace := p.DeletionGracePeriodSeconds; grace == nil || *grace != 600 {
			t.Errorf("pod %s has a grace period of %v, want 10 minutes", p.Name, grace)
		}
		c.vanish(p)
	}
	c.eventually("the operator's finalizer is gone", func() string {
		var w v1alpha1.QWorker
		if err := c.Get(c.Context(), client.ObjectKeyFromObject(q), &w); err != nil {
			return err.Error()
		}
		if len(w.Finalizers) != 1 || w.Finalizers[0] != metav1.FinalizerDeleteDependents {
			return fmt.Sprintf("finalizers %v", w.Finalizers)
		}
		return ""
	})
	c.awaitLength(q.queueName(), 1)
	if n := len(c.pods("w")); n != 0 {
		t.Errorf("there are %d pods, want none", n)
	}
}
