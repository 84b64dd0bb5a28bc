package qworker_test

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// Somebody removes the revisions of a fleet, and its ScalerConfig. The fleet stays as it is, and goes on from its spec once
// the ScalerConfig is back: the revision is stored anew, and a worker that is missing is made as the spec says.
func TestAFleetOutlivesItsRevisions(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(2, 5)
	hash := c.settled(q, 2)
	config := c.scalerConfig("config")
	config.Namespace = c.namespace
	if err := c.Delete(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "ScalerConfigNotFound")
	if err := c.DeleteAllOf(t.Context(), &appsv1.ControllerRevision{}, client.InNamespace(c.namespace)); err != nil {
		t.Fatal(err)
	}
	removed := c.pods("w")[0]
	c.vanish(removed)

	c.create(c.scalerConfig("config"))
	c.run(c.awaitPods("w", 2)...)
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	for _, p := range c.pods("w") {
		if p.Name == removed.Name || p.Spec.Containers[0].Image != "worker:1" {
			t.Errorf("the pod %s has the image %q", p.Name, p.Spec.Containers[0].Image)
		}
	}
	c.eventually("the revision to be stored anew", func() string {
		var revisions appsv1.ControllerRevisionList
		if err := c.List(t.Context(), &revisions, client.InNamespace(c.namespace)); err != nil {
			return err.Error()
		}
		if n := len(revisions.Items); n != 1 || c.status("w").CurrentPodSpecHash != hash {
			return fmt.Sprintf("there are %d, and published is %s", n, c.status("w").CurrentPodSpecHash)
		}
		return ""
	})
}

// removeRevision removes a revision, as somebody may.
func (c *cluster) removeRevision(hash string) {
	c.Helper()
	var revisions appsv1.ControllerRevisionList
	if err := c.List(c.Context(), &revisions, client.InNamespace(c.namespace)); err != nil {
		c.Fatal(err)
	}
	for i := range revisions.Items {
		if r := &revisions.Items[i]; strings.HasSuffix(r.Name, hash) {
			if err := c.Delete(c.Context(), r); err != nil {
				c.Fatal(err)
			}
		}
	}
}

// Somebody removes the published revision while no operator runs, and the spec is changed to one that may be broken. The
// status remembers that another was published, and that one has pods: the newest has still to prove itself, whether or not
// the pods say what they are made of, and though none of them is ready just now.
func TestARestartOutlivesThePublishedRevision(t *testing.T) {
	t.Parallel()
	for name, annotation := range map[string]any{
		"its pods say what they are made of": "",
		"its pods do not":                    nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			before := c.settled(makeQWorker("w").replicas(2, 5), 2)
			c.stop()
			c.removeRevision(before)
			for _, p := range c.pods("w") {
				c.patchStatus(p, func(s *corev1.PodStatus) {
					s.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
				})
				if annotation == nil {
					patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+revision.AnnotationRevision+`":null}}}`))
					if err := c.Patch(t.Context(), &p, patch); err != nil {
						t.Fatal(err)
					}
				}
			}
			c.setImage("w", "worker:2")
			c.startOperator()
			canary := c.awaitCanary("w", before)
			c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionTrue, "CanaryStarting")
			if hash := c.status("w").CurrentPodSpecHash; hash != before {
				t.Fatalf("published is %s, want %s until the canary is ready", hash, before)
			}
			if with, _ := granted(c.pods("w")); len(with) > 0 {
				t.Errorf("%s has a grant, and no other revision is proven", with[0].Name)
			}
			c.run(canary)
			c.eventually("the canary to be published", func() string {
				if hash := c.status("w").CurrentPodSpecHash; hash != canary.Labels[contract.LabelPodSpecHash] {
					return "published is " + hash
				}
				return ""
			})
		})
	}
}

// Somebody removes the published revision, whose pods do not say what they are made of, and the spec names another queue by
// now. At which queue a worker was at work is not guessed: its pod stays, and so does what it holds, until the revision is
// there again.
func TestTasksOfAWorkerWhoseQueueNobodyKnows(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	p := c.busy(q)
	c.stop()
	c.removeRevision(c.status("w").CurrentPodSpecHash)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+revision.AnnotationRevision+`":null}}}`))
	if err := c.Patch(t.Context(), &p, patch); err != nil {
		t.Fatal(err)
	}
	c.change("w", `{"spec":{"scaleConfig":{"queue":"other"}}}`)
	c.exit(0, p)
	c.startOperator()
	c.awaitMessage("w", "nobody knows at which queue they worked", p.Name)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(&p), &p); err != nil || p.DeletionTimestamp != nil {
		t.Errorf("the pod is deleted: %v", err)
	}
	c.awaitLength(redislist.Processing(q.queueName(), p.Name), 1)

	c.change("w", `{"spec":{"scaleConfig":{"queue":"`+q.queueName()+`"}}}`)
	c.awaitLength(redislist.Processing(q.queueName(), p.Name), 0)
	c.awaitLength(q.queueName(), 1)
	c.awaitGone(&p)
}

// Somebody removes the published revision while a canary of the next one is tried. That one has still to prove itself: it
// may be broken, and workers that go by the published hash would all leave.
func TestARolloutOutlivesThePublishedRevision(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	before := c.settled(makeQWorker("w").replicas(2, 5), 2)
	c.setImage("w", "worker:2")
	canary := c.awaitCanary("w", before)
	c.removeRevision(before)
	c.patchStatus(canary, func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
		}}}
	})
	c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "CanaryFailing")
	if hash := c.status("w").CurrentPodSpecHash; hash != before {
		t.Fatalf("published is %s, want %s until the canary is ready", hash, before)
	}
	if with, _ := granted(c.pods("w")); len(with) > 0 {
		t.Errorf("%s has a grant, and no other revision is proven", with[0].Name)
	}
	c.run(c.awaitCanary("w", before))
	c.eventually("the canary to be published", func() string {
		if hash := c.status("w").CurrentPodSpecHash; hash != canary.Labels[contract.LabelPodSpecHash] {
			return "published is " + hash
		}
		return ""
	})
}
