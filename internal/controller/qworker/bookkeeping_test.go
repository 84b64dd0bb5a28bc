package qworker_test

import (
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// forRevisions has the webhook asked about an operation on the revisions of the namespace.
func (w *webhook) forRevisions(operation admissionregistrationv1.OperationType) *admissionregistrationv1.ValidatingWebhookConfiguration {
	config := w.config("", operation)
	config.Webhooks[0].ObjectSelector = nil
	config.Webhooks[0].Rules[0].Rule = admissionregistrationv1.Rule{
		APIGroups: []string{appsv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"controllerrevisions"},
	}
	return config
}

// awaitRefusedRevision waits until the API server asks the webhook.
func (c *cluster) awaitRefusedRevision(operation admissionregistrationv1.OperationType) {
	c.Helper()
	c.eventually("a revision to be refused", func() string {
		var err error
		if operation == admissionregistrationv1.Create {
			probe := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "probe"}, Revision: 1}
			err = c.Create(c.Context(), probe, client.DryRunAll)
		} else {
			var list appsv1.ControllerRevisionList
			if err := c.List(c.Context(), &list, client.InNamespace(c.namespace)); err != nil {
				c.Fatal(err)
			}
			list.Items[0].Labels["probe"] = "probe"
			err = c.Update(c.Context(), &list.Items[0], client.DryRunAll)
		}
		if err == nil {
			return "it is let through"
		}
		return ""
	})
}

// scalesBothWays has the fleet grow to 4 workers and shrink to 1 again, while something is refused.
func (c *cluster) scalesBothWays(q qw) {
	c.Helper()
	c.push(q.queueName(), 4)
	c.run(c.awaitPods(q.Name, 4)...)
	c.awaitCondition(q.Name, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	c.do("DEL", q.queueName())
	with, _ := c.awaitGrants(q.Name, 3)
	c.exit(0, with...)
	c.awaitPods(q.Name, 1)
}

// A revision that cannot be stored is the new one's trouble alone: the fleet grows, shrinks and returns tasks on the one
// that it has. The reason is said, and the rollout goes on by itself.
func TestARevisionThatCannotBeStored(t *testing.T) {
	t.Parallel()
	c, b := costed(t)
	q := makeQWorker("w").replicas(1, 10)
	before := c.settled(q, 1)
	w := newWebhook(t)
	c.register(w.forRevisions(admissionregistrationv1.Create))
	c.awaitRefusedRevision(admissionregistrationv1.Create)
	b.take()

	c.setImage("w", "worker:2")
	refused := c.awaitCondition("w", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "RevisionNotStored")
	for _, words := range []string{"stays on " + before, "denied the request: " + denial} {
		if !strings.Contains(refused.Message, words) {
			t.Errorf("the message has not %q: %s", words, refused.Message)
		}
	}
	c.eventually("an event", func() string {
		if !slices.ContainsFunc(c.events(), func(e eventsv1.Event) bool { return e.Reason == "RevisionNotStored" && e.Type == "Warning" }) {
			return "there is none"
		}
		return ""
	})
	c.scalesBothWays(q)
	if tried := b.take()["POST controllerrevisions"]; tried == 0 || tried > 8 { // 0.1 s, and twice as long each time
		t.Errorf("it was tried %d times, want 1 to 8", tried)
	}
	if now := c.status("w").CurrentPodSpecHash; now != before {
		t.Errorf("%s is published, want %s", now, before)
	}

	w.denies.Store(false)
	c.run(c.awaitCanary("w", before))
	c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionTrue, "Draining")
	if now := c.status("w").CurrentPodSpecHash; now == before {
		t.Error("the new revision is not published")
	}
}

// What is stored of revisions for a later leader holds back a rollout where it cannot be stored, and nothing else.
func TestARevisionThatCannotBeMarked(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 10)
	before := c.settled(q, 1)
	w := newWebhook(t)
	c.register(w.forRevisions(admissionregistrationv1.Update))
	c.awaitRefusedRevision(admissionregistrationv1.Update)

	c.setImage("w", "worker:2")
	refused := c.awaitCondition("w", v1alpha1.ConditionReady, metav1.ConditionFalse, "WriteFailed")
	if words := "denied the request: " + denial; !strings.Contains(refused.Message, words) {
		t.Errorf("the message has not %q: %s", words, refused.Message)
	}
	c.push(q.queueName(), 4)
	c.run(c.awaitPods("w", 4)...)
	if _, others := of(c.pods("w"), before); len(others) > 0 {
		t.Errorf("%d pods are of a revision that cannot be marked as tried", len(others))
	}
	c.do("DEL", q.queueName())
	with, _ := c.awaitGrants("w", 3)
	c.exit(0, with...)
	c.awaitPods("w", 1)

	w.denies.Store(false)
	c.awaitCanary("w", before)
}

// A QWorker that is deleted goes, also where its history cannot be tidied.
func TestAHistoryThatCannotBeTidied(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w").replicas(1, 10)
	c.settled(q, 1)
	w := newWebhook(t)
	c.register(w.forRevisions(admissionregistrationv1.Delete))
	c.eventually("a deletion to be refused", func() string {
		if err := c.DeleteAllOf(c.Context(), &appsv1.ControllerRevision{}, client.InNamespace(c.namespace), client.DryRunAll); err == nil {
			return "it is let through"
		}
		return ""
	})
	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	with, _ := c.awaitGrants("w", 1)
	c.exit(0, with...)
	c.awaitGone(q.QWorker)
}
