package qworker_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// The garbage collector takes the owner from all that a QWorker leaves behind when it is deleted with --cascade=orphan,
// by strategic patches; the QWorker stays until it could. No garbage collector runs here, so the test patches as it does.
func TestRevisionsCanBeOrphaned(t *testing.T) {
	c := newCluster(t)
	q := makeQWorker("fleet").replicas(1, 1)
	worker := &q.Spec.PodSpec.Containers[0]
	worker.Args = []string{"sh", "-c", "a && b <c >d; echo \"ü\u2028\""}
	q.Spec.PodSpec.TerminationGracePeriodSeconds = ptr.To(int64(1)<<53 + 1)
	q.Spec.PodSpec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr.To(int64(2147483647))}
	c.create(c.scalerConfig("config"), q)
	c.awaitPods("fleet", 1)
	var revisions appsv1.ControllerRevisionList
	if err := c.List(t.Context(), &revisions, client.InNamespace(c.namespace)); err != nil || len(revisions.Items) != 1 {
		t.Fatalf("%d revisions (%v)", len(revisions.Items), err)
	}
	r := &revisions.Items[0]
	patch := fmt.Sprintf(`{"metadata":{"uid":%q,"ownerReferences":[{"$patch":"delete","uid":%q}]}}`, r.UID, q.UID)
	if err := c.Patch(t.Context(), r, client.RawPatch(types.StrategicMergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	if len(r.OwnerReferences) > 0 {
		t.Errorf("it still belongs to %v", r.OwnerReferences)
	}
}

// A pod that somebody has taken from its QWorker is none of its dead: its tasks stay with it, and the QWorker does not
// wait for it.
func TestAPodThatIsNotOursAnyMoreHoldsNothingUp(t *testing.T) {
	c := newCluster(t)
	q := makeQWorker("fleet").replicas(1, 1)
	c.create(c.scalerConfig("config"), q)
	pods := c.awaitPods("fleet", 1)
	c.run(pods...)
	c.push(q.queueName(), 1)
	c.hold(q.queueName(), pods[0].Name)

	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"ownerReferences":null}}`))
	if err := c.Patch(t.Context(), &pods[0], patch); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	for _, p := range c.pods("fleet") {
		if p.Name != pods[0].Name { // one that took its place
			c.eventually("the other pod to be let go", func() string {
				if err := c.Delete(t.Context(), &p, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
					return err.Error()
				}
				return ""
			})
		}
	}
	c.eventually("the QWorker to go", func() string {
		var gone v1alpha1.QWorker
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(q.QWorker), &gone); client.IgnoreNotFound(err) == nil && err != nil {
			return ""
		}
		return "it is there"
	})
	if held, err := c.do("LLEN", "{"+q.queueName()+"}:processing:"+pods[0].Name).AsInt64(); held != 1 || err != nil {
		t.Errorf("the pod holds %d tasks (%v), want its 1", held, err)
	}
}
