package qworker_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/contract"
)

// change edits a QWorker.
func (c *cluster) change(worker, patch string) {
	c.Helper()
	q := &v1alpha1.QWorker{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: worker}}
	if err := c.Patch(c.Context(), q, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		c.Fatal(err)
	}
}

// settleAs lets the workers of a fleet leave on their grants and start as their kubelets would, until n workers of another
// revision than the former one are there, which is published, and none else.
func (c *cluster) settleAs(worker, former string, n int) {
	c.Helper()
	c.eventually(fmt.Sprintf("%d workers of another revision", n), func() string {
		pods := c.pods(worker)
		for _, p := range pods {
			switch {
			case p.DeletionTimestamp != nil:
			case p.Annotations[contract.AnnotationDrain] != "" && p.Status.Phase == corev1.PodRunning:
				c.exit(0, p)
			case p.Status.Phase == corev1.PodPending:
				c.run(p)
			}
		}
		before, after := of(pods, former)
		if len(before) > 0 || len(after) != n {
			return fmt.Sprintf("there are %d, and %d of the former", len(after), len(before))
		}
		if hash := c.status(worker).CurrentPodSpecHash; hash == former {
			return "it is not published"
		}
		return ""
	})
}

// The queue is renamed, and the old one runs dry before the canary is available: the new one is served all the same.
func TestAQueueThatRunsDryDoesNotKeepTheNextFromBeingServed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(0, 10)
	c.push(q.queueName(), 1)
	before := c.settled(q, 1)
	c.change("w", `{"spec":{"scaleConfig":{"queue":"renamed"}}}`)
	c.awaitCanary("w", before)
	c.do("DEL", q.queueName())
	with, _ := c.awaitGrants("w", 1)
	c.exit(0, with...)
	c.awaitPods("w", 0)

	c.push("renamed", 5)
	canary := c.awaitCanary("w", before)
	if old, _ := of(c.pods("w"), before); len(old) > 0 {
		t.Errorf("%d workers of the old queue, which asks for none, want none", len(old))
	}
	c.eventually("the larger demand is shown", func() string {
		if got := c.status("w").DesiredReplicas; got != 5 {
			return fmt.Sprintf("it is %d", got)
		}
		return ""
	})
	c.run(canary)
	c.settleAs("w", before, 5)
}

// Both queues have messages while one revision takes over from the other: each has workers of its own.
func TestBothQueuesAreServedWhileOneTakesOver(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(0, 10)
	c.push(q.queueName(), 2)
	before := c.settled(q, 2)
	c.change("w", `{"spec":{"scaleConfig":{"queue":"renamed"}}}`)
	c.push("renamed", 4)
	c.awaitCanary("w", before)
	c.push(q.queueName(), 1)
	c.eventually("a worker more for the old queue", func() string {
		if old, _ := of(c.pods("w"), before); len(old) != 3 {
			return fmt.Sprintf("there are %d", len(old))
		}
		return ""
	})
	c.settleAs("w", before, 4)
}

// The broker is moved, and the old one does not answer any more: it keeps nobody from being served by the new one.
func TestABrokerThatIsGoneDoesNotKeepTheNextFromBeingServed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(0, 10).rollout(func(r *v1alpha1.RolloutSpec) {
		r.MaxSurge, r.MaxUnavailable = ptr.To(intstr.FromInt32(0)), ptr.To(intstr.FromInt32(1))
	})
	c.push(q.queueName(), 1)
	before := c.settled(q, 1)
	former := c.redis
	if err := former.Pause(); err != nil { // and not Kill: another test's server may get its port
		t.Fatal(err)
	}
	c.eventually("the broker does not answer", func() string {
		if !meta.IsStatusConditionFalse(c.status("w").Conditions, v1alpha1.ConditionBrokerReachable) {
			return "it does"
		}
		return ""
	})
	c.redis = redisservertest.Start(t)
	c.create(c.scalerConfig("next"))
	c.push(q.queueName(), 3)
	c.change("w", `{"spec":{"scaleConfig":{"scalerConfigRef":"next"}}}`)
	c.run(c.awaitCanary("w", before))
	c.eventually("the new broker's revision is published", func() string {
		if c.status("w").CurrentPodSpecHash == before {
			return "it is not"
		}
		return ""
	})
	if err := former.Resume(); err != nil {
		t.Fatal(err)
	}
	c.settleAs("w", before, 3)
}
