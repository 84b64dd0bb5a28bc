package qworker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

// of splits a worker's pods by whether they are of a revision.
func of(pods []corev1.Pod, hash string) (those, others []corev1.Pod) {
	for _, p := range pods {
		if p.Labels[contract.LabelPodSpecHash] == hash {
			those = append(those, p)
		} else {
			others = append(others, p)
		}
	}
	return those, others
}

// awaitCanary waits for a pod of another revision than the given one.
func (c *cluster) awaitCanary(worker, hash string) corev1.Pod {
	c.Helper()
	var canaries []corev1.Pod
	c.eventually("a canary", func() string {
		if _, canaries = of(c.pods(worker), hash); len(canaries) == 0 {
			return "there is none"
		}
		return ""
	})
	return canaries[0]
}

// settled is a QWorker with n running workers.
func (c *cluster) settled(q qw, n int) (hash string) {
	c.Helper()
	c.create(c.scalerConfig("config"), q)
	c.run(c.awaitPods(q.Name, n)...)
	c.awaitCondition(q.Name, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	return c.status(q.Name).CurrentPodSpecHash
}

func TestABadImageStopsTheRolloutAndACorrectionGoesOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(4, 10)
	before := c.settled(q, 4)

	c.setImage("w", "worker:broken")
	canary := c.awaitCanary("w", before)
	c.patchStatus(canary, func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
		}}}
	})
	stopped := c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "CanaryFailing")
	for _, words := range []string{canary.Name, "ImagePullBackOff: no such image", before} {
		if !strings.Contains(stopped.Message, words) {
			t.Errorf("the message has not %q: %s", words, stopped.Message)
		}
	}
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	c.awaitCondition("w", v1alpha1.ConditionStalled, metav1.ConditionTrue, "CanaryFailing")

	// The old fleet scales on its own revision.
	c.push(q.queueName(), 6)
	c.eventually("two more of the old revision", func() string {
		if old, _ := of(c.pods("w"), before); len(old) != 6 {
			return fmt.Sprintf("there are %d", len(old))
		}
		return ""
	})

	c.setImage("w", "worker:2")
	c.eventually("the bad canary gives way to a good one", func() string {
		_, canaries := of(c.pods("w"), before)
		for _, p := range canaries {
			if p.Labels[contract.LabelPodSpecHash] == canary.Labels[contract.LabelPodSpecHash] {
				return "it is still there"
			}
		}
		if len(canaries) == 0 {
			return "there is no other"
		}
		return ""
	})
	if with, _ := granted(c.pods("w")); len(with) > 0 {
		t.Errorf("%s has a grant, and no other revision is proven", with[0].Name)
	}
	c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "CanaryStarting")
}

// A fleet that is scaled to none keeps no canary, and why the rollout stopped is not forgotten with it.
func TestAStoppedRolloutIsRememberedAtZero(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(0, 10)
	c.push(q.queueName(), 1)
	before := c.settled(q, 1)

	c.setImage("w", "worker:broken")
	canary := c.awaitCanary("w", before)
	c.patchStatus(canary, func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such \"image\""},
		}}}
	})
	c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "CanaryFailing")

	c.do("DEL", q.queueName())
	c.eventually("no canary", func() string {
		if _, canaries := of(c.pods("w"), before); len(canaries) > 0 {
			return "there is one"
		}
		return ""
	})
	c.push(q.queueName(), 1) // and another one, of which nothing is known yet
	c.awaitCanary("w", before)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	stopped := c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "CanaryFailing")
	if want := `when it was last tried: pod ` + canary.Name + `: ImagePullBackOff: no such "image"`; !strings.Contains(stopped.Message, want) {
		t.Errorf("the message has not %q: %s", want, stopped.Message)
	}

	c.setImage("w", "worker:2")
	c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "CanaryStarting")
}

func TestACanaryMustStayReady(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 5).rollout(func(r *v1alpha1.RolloutSpec) { r.MinReadySeconds = ptr.To[int32](3) })
	before := c.settled(q, 1)
	c.setImage("w", "worker:2")
	canary := c.awaitCanary("w", before)
	readySince := metav1.Now().Rfc3339Copy()
	c.patchStatus(canary, func(s *corev1.PodStatus) {
		s.Phase = corev1.PodRunning
		s.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: readySince}}
		s.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "worker", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}
	})
	c.eventually("the hash moves", func() string {
		if c.status("w").CurrentPodSpecHash == before {
			return "it has not"
		}
		return ""
	})
	if after := time.Since(readySince.Time); after < 3*time.Second {
		t.Errorf("the hash moved %s after the canary was ready, want 3s", after)
	}
}

func TestARollbackTakesTheGrantsBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(4, 10)
	q.Spec.PodSpec.Containers[0].Resources = corev1.ResourceRequirements{} // as setImage leaves it
	before := c.settled(q, 4)
	c.setImage("w", "worker:2")
	c.run(c.awaitCanary("w", before))
	with, _ := c.awaitGrants("w", 1)
	if got := with[0].Annotations[contract.AnnotationDrain]; got != "Rollout" {
		t.Fatalf("the reason is %q, want Rollout", got)
	}
	c.setImage("w", "worker:1")
	c.eventually("no old pod has a grant", func() string {
		old, _ := of(c.pods("w"), before)
		if with, without := granted(old); len(with) > 0 || len(without) != 4 {
			return fmt.Sprintf("%d have, %d have not", len(with), len(without))
		}
		return ""
	})
	c.eventually("the hash is the old one", func() string {
		if got := c.status("w").CurrentPodSpecHash; got != before {
			return "it is " + got
		}
		return ""
	})
}

// With no worker running there is nothing to protect, and a revision that once worked needs no proof.
func TestWithNoneRunningTheHashMovesAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	q.Spec.PodSpec.Containers[0].Resources = corev1.ResourceRequirements{} // as setImage leaves it
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 1)
	c.run(c.awaitPods("w", 1)...)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	before := c.status("w").CurrentPodSpecHash
	moves := func(from string) (to string) {
		c.eventually("the hash moves", func() string {
			if to = c.status("w").CurrentPodSpecHash; to == from {
				return "it has not"
			}
			return ""
		})
		return to
	}
	c.setImage("w", "worker:2")
	c.run(c.awaitCanary("w", before))
	second := moves(before)
	c.do("DEL", q.queueName())
	c.eventually("none is left", func() string {
		pods := c.pods("w")
		for _, p := range pods {
			if p.Annotations[contract.AnnotationDrain] != "" && p.Status.Phase == corev1.PodRunning {
				c.exit(0, p)
			}
		}
		if len(pods) > 0 {
			return fmt.Sprintf("there are %d", len(pods))
		}
		return ""
	})
	c.setImage("w", "worker:1")
	if got := moves(second); got != before {
		t.Errorf("the hash is %s, want that of the first revision, %s", got, before)
	}
	c.setImage("w", "worker:2")
	if got := moves(before); got != second {
		t.Errorf("the hash is %s, want that of the second revision, %s, which was a canary and proved itself", got, second)
	}
}

func TestAPausedRolloutStandsStill(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 5).rollout(func(r *v1alpha1.RolloutSpec) { r.Paused = true })
	before := c.settled(q, 2)
	c.setImage("w", "worker:2")
	c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionUnknown, "RolloutPaused")
	if _, canaries := of(c.pods("w"), before); len(canaries) > 0 {
		t.Errorf("a canary was created: %s", canaries[0].Name)
	}
}

func TestWithoutSurgeOneWorkerMakesRoom(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 2).rollout(func(r *v1alpha1.RolloutSpec) {
		r.MaxSurge, r.MaxUnavailable = ptr.To(intstr.FromInt32(0)), ptr.To(intstr.FromInt32(1))
	})
	before := c.settled(q, 2)
	c.setImage("w", "worker:2")
	c.awaitGrants("w", 1)
	c.awaitCanary("w", before)
}

func TestHistoryIsKeptWithinItsLimit(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").rollout(func(r *v1alpha1.RolloutSpec) { r.RevisionHistoryLimit = ptr.To[int32](2) })
	c.create(c.scalerConfig("config"), q)
	last := ""
	for i := range 5 {
		c.setImage("w", fmt.Sprintf("worker:%d", i))
		c.eventually("the next revision", func() string {
			hash := c.status("w").CurrentPodSpecHash
			if hash == "" || hash == last {
				return "it is not there"
			}
			last = hash
			return ""
		})
	}
	c.eventually("the present revision and two more", func() string {
		var revisions appsv1.ControllerRevisionList
		if err := c.List(c.Context(), &revisions, client.InNamespace(c.namespace)); err != nil {
			c.Fatal(err)
		}
		if n := len(revisions.Items); n != 3 {
			return fmt.Sprintf("there are %d", n)
		}
		return ""
	})
}

// setQuota limits the namespace's pods. Nobody counts them here but the admission of the API server.
func (c *cluster) setQuota(used, hard string, scopes ...corev1.ResourceQuotaScope) *corev1.ResourceQuota {
	c.Helper()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "quota"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse(hard)}, Scopes: scopes},
	}
	c.create(quota)
	c.countQuota(quota, used)
	return quota
}

// countQuota says how much of a quota is used, as its controller would.
func (c *cluster) countQuota(quota *corev1.ResourceQuota, used string) {
	c.Helper()
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{corev1.ResourcePods: resource.MustParse(used)}}
	if err := c.Status().Update(c.Context(), quota); err != nil {
		c.Fatal(err)
	}
}

func TestAQuotaIsAWaitAndNoVerdictOnTheRevision(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 5)
	c.settled(q, 2)
	c.setQuota("2", "2")
	c.setImage("w", "worker:2")
	waits := c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "WaitingForQuota")
	if !strings.Contains(waits.Message, "exceeded quota: quota") {
		t.Errorf("the message has not the API server's words: %s", waits.Message)
	}
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
}

func TestARefusedCanaryIsTheRolloutsTrouble(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 5)
	c.settled(q, 2)
	c.setPodSecurity("baseline")
	patch := []byte(`{"spec":{"podSpec":{"hostNetwork":true}}}`)
	if err := c.Patch(t.Context(), q.QWorker, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	refused := c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "CanaryRefused")
	if !strings.Contains(refused.Message, "violates PodSecurity") {
		t.Errorf("the message has not the API server's words: %s", refused.Message)
	}
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
}
