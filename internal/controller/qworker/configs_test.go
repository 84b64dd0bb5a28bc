package qworker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// withConfig is a QWorker whose worker takes a variable of the Secret "settings" and all of the ConfigMap "more", which is
// optional.
func withConfig() qw {
	q := makeQWorker("w").replicas(2, 10)
	container := &q.Spec.PodSpec.Containers[0]
	container.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, Key: "a",
	}}}}
	optional := true
	container.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "more"}, Optional: &optional,
	}}}
	return q
}

func (c *cluster) setSecret(value string) {
	c.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "settings"}}
	patch := fmt.Sprintf(`{"stringData":{"a":%q}}`, value)
	if err := c.Patch(c.Context(), secret, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		c.Fatal(err)
	}
}

// awaitConfigRead waits until both objects were read since, and the operator has looked at the fleet.
func (c *cluster) awaitConfigRead() {
	c.Helper()
	c.awaitCondition("w", v1alpha1.ConditionConfigRead, metav1.ConditionTrue, "AllRead")
	c.reconcileAnew("w")
}

func settings() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, StringData: map[string]string{"a": "1"}}
}

// A Secret changes: a canary comes, then the idle worker leaves, and the busy one when its task is done. That the option is
// turned on, and that the operator starts anew, replaces nobody.
func TestAChangeOfASecretReplacesTheWorkers(t *testing.T) {
	t.Parallel()
	c := newClusterWithKey(t)
	c.create(settings())
	q := withConfig()
	before := c.settled(q, 2)
	pods := c.pods("w")
	c.setSecret("2")
	c.reconcileAnew("w")
	c.wantsNobodyToLeave() // nobody has asked for it

	c.change("w", `{"spec":{"rollout":{"onConfigChange":"Restart"}}}`)
	c.awaitConfigRead()
	c.restartOperator()
	c.awaitConfigRead()
	c.wantsNobodyToLeave()
	c.push(q.queueName(), 1)
	c.hold(q.queueName(), pods[0].Name)

	c.setSecret("3")
	canary := c.awaitCanary("w", before)
	if with, _ := granted(c.pods("w")); len(with) > 0 {
		t.Errorf("%s has a grant before the canary is ready", with[0].Name)
	}
	c.run(canary)
	with, _ := c.awaitGrants("w", 1)
	if with[0].Name != pods[1].Name || with[0].Annotations[contract.AnnotationDrain] != string(contract.ReasonRollout) {
		t.Errorf("a grant was given to %s (%s), want %s, which is idle, for the rollout", with[0].Name, with[0].Annotations[contract.AnnotationDrain], pods[1].Name)
	}
	c.eventually("an event", func() string {
		for _, e := range c.events() {
			if e.Reason == "ConfigChanged" && strings.HasPrefix(e.Note, "Secret settings changed") {
				return ""
			}
		}
		return "there is none"
	})
	c.exit(0, with...)
	c.eventually("the second replacement", func() string {
		those, others := of(c.pods("w"), before)
		if len(those) != 1 || len(others) != 2 {
			return fmt.Sprintf("there are %d of before and %d others", len(those), len(others))
		}
		return ""
	})
	_, others := of(c.pods("w"), before)
	c.run(slices.DeleteFunc(others, func(p corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })...)
	with, _ = c.awaitGrants("w", 1)
	c.do("DEL", redislist.Processing(q.queueName(), pods[0].Name))
	c.exit(0, with...)
	c.awaitPods("w", 2)
	c.wantsNobodyToLeave()
}

// A Secret changes and changes back before the new revision has worked: the canary leaves, and the fleet stays. The same with
// an optional ConfigMap that comes and goes.
func TestAConfigThatChangesBack(t *testing.T) {
	t.Parallel()
	c := newClusterWithKey(t)
	c.create(settings())
	before := c.settled(withConfig().rollout(func(r *v1alpha1.RolloutSpec) { r.OnConfigChange = v1alpha1.ConfigChangeRestart }), 2)
	c.awaitConfigRead()

	more := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "more"}, Data: map[string]string{"b": "1"}}
	for what, change := range map[string]struct{ there, back func() }{
		"the Secret": {func() { c.setSecret("2") }, func() { c.setSecret("1") }},
		"the ConfigMap": {func() { c.create(more) }, func() {
			if err := c.Delete(c.Context(), more); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		change.there()
		c.awaitCanary("w", before)
		change.back()
		c.eventually(what+": the canary is gone", func() string {
			if _, others := of(c.pods("w"), before); len(others) > 0 {
				return others[0].Name + " is there"
			}
			return ""
		})
		c.wantsNobodyToLeave()
	}
	if got := c.status("w").CurrentPodSpecHash; got != before {
		t.Errorf("it is at revision %s, want %s", got, before)
	}
}

// While a canary tries a content, the fleet grows: the new worker of the old revision has that content as well. When it is
// changed back, that worker is replaced, and the others stay.
func TestAWorkerThatWasMadeMeanwhileIsReplaced(t *testing.T) {
	t.Parallel()
	c := newClusterWithKey(t)
	c.create(settings())
	q := withConfig().rollout(func(r *v1alpha1.RolloutSpec) { r.OnConfigChange = v1alpha1.ConfigChangeRestart })
	before := c.settled(q, 2)
	former := c.pods("w")
	c.awaitConfigRead()
	c.setSecret("2")
	c.awaitCanary("w", before)
	c.push(q.queueName(), 3)
	var meanwhile corev1.Pod
	c.eventually("one more of the old revision", func() string {
		those, _ := of(c.pods("w"), before)
		for _, pod := range those {
			if pod.Name != former[0].Name && pod.Name != former[1].Name {
				meanwhile = pod
				return ""
			}
		}
		return fmt.Sprintf("there are %d", len(those))
	})
	c.run(meanwhile)
	c.setSecret("1")
	var next corev1.Pod
	c.eventually("its replacement", func() string {
		those, others := of(c.pods("w"), before)
		if len(those) != 4 || len(others) != 0 {
			return fmt.Sprintf("there are %d, and %d others", len(those), len(others))
		}
		next = those[slices.IndexFunc(those, func(p corev1.Pod) bool { return p.Status.Phase != corev1.PodRunning })]
		return ""
	})
	c.run(next)
	with, _ := c.awaitGrants("w", 1)
	if with[0].Name != meanwhile.Name {
		t.Errorf("a grant was given to %s, want %s", with[0].Name, meanwhile.Name)
	}
	c.exit(0, with...)
	for _, pod := range c.awaitPods("w", 3) {
		if pod.Name == meanwhile.Name {
			t.Errorf("%s is still there", pod.Name)
		}
	}
}

// A Secret that pods need is deleted and created again as it was: nobody is replaced, and the condition says meanwhile what
// is wrong.
func TestASecretThatIsCreatedAgain(t *testing.T) {
	t.Parallel()
	c := newClusterWithKey(t)
	c.create(settings())
	c.settled(withConfig().rollout(func(r *v1alpha1.RolloutSpec) { r.OnConfigChange = v1alpha1.ConfigChangeRestart }), 2)
	c.awaitConfigRead()
	if err := c.Delete(c.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "settings"}}); err != nil {
		t.Fatal(err)
	}
	missing := c.awaitCondition("w", v1alpha1.ConditionConfigRead, metav1.ConditionFalse, "ConfigNotFound")
	if !strings.HasPrefix(missing.Message, "Secret settings does not exist") {
		t.Errorf("the message is %q", missing.Message)
	}
	c.wantsNobodyToLeave()
	c.create(settings())
	c.awaitConfigRead()
	c.wantsNobodyToLeave()
}
