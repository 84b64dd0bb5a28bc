package qworker_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

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
