package qworker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// signalled makes the workers of q such that know SIGTERM alone.
func (q qw) signalled() qw {
	q.Spec.Drain = &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: time.Second}}
	return q
}

// showTask has a pod's worker take a task and do it, and the operator see that.
func (c *cluster) showTask(q qw, pod corev1.Pod) {
	c.Helper()
	c.hold(q.queueName(), pod.Name)
	c.eventually("the revision is marked", func() string {
		var revisions appsv1.ControllerRevisionList
		labels := client.MatchingLabels{contract.LabelPodSpecHash: pod.Labels[contract.LabelPodSpecHash]}
		if err := c.List(c.Context(), &revisions, client.InNamespace(c.namespace), labels); err != nil {
			c.Fatal(err)
		}
		for _, r := range revisions.Items {
			if r.Annotations["quickube.com/seen-at-task"] == "true" {
				return ""
			}
		}
		return "it is not"
	})
	c.do("DEL", redislist.Processing(q.queueName(), pod.Name))
}

// awaitStaying waits until the condition TasksSeen says so of so many workers.
func (c *cluster) awaitStaying(worker, words string) {
	c.Helper()
	held := c.awaitCondition(worker, v1alpha1.ConditionTasksSeen, metav1.ConditionFalse, "TasksMayBeHidden")
	if !strings.HasPrefix(held.Message, words) {
		c.Errorf("the message does not begin with %q: %s", words, held.Message)
	}
}

// Workers that take their tasks with BRPOP hold nothing that Redis could show. With the last message that waits, none of
// them is known to be idle, and none is told to end in the middle of its task.
func TestWorkersAtTasksThatNobodySeesAreNotTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 4).signalled()
	c.push(q.queueName(), 12)
	before := c.settled(q, 4)
	c.do("DEL", q.queueName()) // each message is in the memory of a worker
	c.awaitStaying("w", "QScaler would end 3 workers now, and does not")

	c.stop()
	c.startOperator()
	c.setImage("w", "worker:2")
	c.run(c.awaitCanary("w", before))
	c.eventually("the hash moves", func() string {
		if c.status("w").CurrentPodSpecHash == before {
			return "it has not"
		}
		return ""
	})
	c.awaitStaying("w", "QScaler would end 4 workers now")
	if with, _ := of(c.pods("w"), before); len(with) != 4 {
		t.Errorf("%d of the workers are there, want all 4: %s", len(with), c.picture())
	}

	after := c.status("w").CurrentPodSpecHash
	patch := []byte(`{"spec":{"drain":{"mayEndUnseenTasks":true}}}`)
	if err := c.Patch(t.Context(), q.QWorker, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
	c.eventually("all of them are told", func() string {
		left, _ := of(c.pods("w"), before)
		for _, p := range left {
			if p.DeletionTimestamp == nil {
				return p.Name + " is not"
			}
		}
		return ""
	})
	if got := c.status("w").CurrentPodSpecHash; got != after {
		t.Errorf("the permission has made the revision %s of %s", got, after)
	}
}

// A revision of which one worker was seen at a task follows the protocol, and later leaders know.
func TestARevisionThatWasSeenAtATaskIsKnown(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(0, 4).signalled()
	c.push(q.queueName(), 3)
	c.settled(q, 3)
	c.awaitCondition("w", v1alpha1.ConditionTasksSeen, metav1.ConditionUnknown, "NoTaskSeen")
	pods := c.pods("w")
	c.showTask(q, pods[0])
	c.eventually("the condition goes", func() string {
		if found := meta.FindStatusCondition(c.status("w").Conditions, v1alpha1.ConditionTasksSeen); found != nil {
			return fmt.Sprintf("it is %s: %s", found.Status, found.Message)
		}
		return ""
	})
	c.stop()
	c.do("DEL", q.queueName())
	c.startOperator()
	c.eventually("all are told", func() string {
		for _, p := range c.pods("w") {
			if p.DeletionTimestamp == nil {
				return p.Name + " is not"
			}
		}
		return ""
	})
}
