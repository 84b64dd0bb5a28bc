package qworker_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// setPassword gives the operator's user in Redis a password, and ends its connections.
func (c *cluster) setPassword(password string) {
	c.Helper()
	c.do("ACL", "DELUSER", "app")
	c.do("ACL", "SETUSER", "app", "on", ">"+password, "~*", "&*", "+@all")
}

// withPassword is a ScalerConfig whose password is in a Secret, and that Secret: it has the password "old".
func (c *cluster) withPassword() (*v1alpha1.ScalerConfig, *corev1.Secret) {
	config := c.scalerConfig("config")
	config.Spec.Config.Username = "app"
	config.Spec.Config.Password = &v1alpha1.PasswordSource{Secret: &v1alpha1.SecretKeyReference{Name: "redis", Key: "password"}}
	return config, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"}, StringData: map[string]string{"password": "old"},
	}
}

// newClusterWithKey has the Secret in which operators that come one after another keep the key of their fingerprints.
func newClusterWithKey(t *testing.T) *cluster {
	c := newCluster(t)
	c.stop()
	c.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: operator.FingerprintSecretName}})
	c.startOperator()
	return c
}

func (c *cluster) restartOperator() {
	c.stop()
	c.startOperator()
}

func printOf(pod corev1.Pod) string { return pod.Annotations[revision.AnnotationPasswordFingerprint] }

// awaitReplacement waits until three pods without a grant are there, of which one is new. That has not the former
// fingerprint. It is run.
func (c *cluster) awaitReplacement(former string) {
	c.Helper()
	var staying []corev1.Pod
	c.eventually("three pods without a grant", func() string {
		if _, staying = granted(c.pods("w")); len(staying) != 3 {
			return fmt.Sprintf("there are %d", len(staying))
		}
		return ""
	})
	for _, pod := range staying {
		if pod.Status.Phase == corev1.PodRunning {
			continue
		}
		if mark := printOf(pod); mark == "" || mark == former {
			c.Errorf("pod %s has the fingerprint %q, and those of before had %q", pod.Name, mark, former)
		}
		c.run(pod)
	}
}

// awaitReplacementOf waits for a pod of another QWorker that has not the former fingerprint.
func (c *cluster) awaitReplacementOf(worker, former string) {
	c.Helper()
	c.eventually("a pod of "+worker+" with another password", func() string {
		for _, pod := range c.pods(worker) {
			if mark := printOf(pod); mark != "" && mark != former {
				return ""
			}
		}
		return "there is none"
	})
}

// A password that is changed in the broker and in its Secret: each worker that was made with the old one is replaced, the
// idle one first, and the busy one when its task is done. An operator that takes over in the middle goes on, and so it is
// with each QWorker on the ScalerConfig.
func TestWorkersWithAnOldPasswordAreReplaced(t *testing.T) {
	t.Parallel()
	c := newClusterWithKey(t)
	c.setPassword("old")
	config, secret := c.withPassword()
	q := makeQWorker("w").replicas(2, 10)
	c.create(secret, config, q, makeQWorker("v").replicas(1, 1))
	pods := c.awaitPods("w", 2)
	c.run(pods...)
	c.run(c.awaitPods("v", 1)...)
	former := printOf(pods[0])
	if former == "" || printOf(pods[1]) != former {
		t.Fatalf("the fingerprints are %q and %q, want the same", former, printOf(pods[1]))
	}
	c.push(q.queueName(), 1)
	c.hold(q.queueName(), pods[0].Name)

	secret.StringData = map[string]string{"password": "new"}
	if err := c.Update(c.Context(), secret); err != nil {
		t.Fatal(err)
	}
	c.setPassword("new")
	c.awaitReplacement(former)
	with, _ := c.awaitGrants("w", 1)
	if with[0].Name != pods[1].Name || with[0].Annotations[contract.AnnotationDrain] != string(contract.ReasonRollout) {
		t.Errorf("a grant was given to %s (%s), want %s, which is idle, for the rollout", with[0].Name, with[0].Annotations[contract.AnnotationDrain], pods[1].Name)
	}
	c.awaitReplacementOf("v", former)
	c.restartOperator()
	c.exit(0, with...)
	c.eventually("the first is gone", func() string {
		if with, _ := granted(c.pods("w")); len(with) > 0 {
			return fmt.Sprintf("there is %s", with[0].Name)
		}
		return ""
	})
	c.awaitReplacement(former)
	with, _ = c.awaitGrants("w", 1)
	if with[0].Name != pods[0].Name {
		t.Errorf("a grant was given to %s, want %s", with[0].Name, pods[0].Name)
	}
	c.do("DEL", redislist.Processing(q.queueName(), pods[0].Name))
	c.exit(0, with...)
	for _, pod := range c.awaitPods("w", 2) {
		if mark := printOf(pod); mark == "" || mark == former {
			t.Errorf("pod %s has the fingerprint %q, and those of before had %q", pod.Name, mark, former)
		}
	}
	c.wantsNobodyToLeave()
}

// A change that no operator has seen is one all the same. Pods of an earlier version of the operator do not say with which
// password they were made: an upgrade replaces none of them.
func TestPodsThatSayNothingOfTheirPasswordStay(t *testing.T) {
	t.Parallel()
	c := newClusterWithKey(t)
	c.setPassword("old")
	config, secret := c.withPassword()
	c.create(secret, config, makeQWorker("w").replicas(2, 10))
	pods := c.awaitPods("w", 2)
	c.run(pods...)
	c.stop()
	former := printOf(pods[0])
	earlier := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: pods[1].Name}}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, revision.AnnotationPasswordFingerprint)
	if err := c.Patch(c.Context(), earlier, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
	secret.StringData = map[string]string{"password": "new"}
	if err := c.Update(c.Context(), secret); err != nil {
		t.Fatal(err)
	}
	c.setPassword("new")
	c.startOperator()

	c.awaitReplacement(former)
	with, _ := c.awaitGrants("w", 1)
	if with[0].Name != pods[0].Name {
		t.Errorf("a grant was given to %s, which says nothing of its password, and not to %s", with[0].Name, pods[0].Name)
	}
	c.exit(0, with...)
	c.awaitPods("w", 2)
	c.wantsNobodyToLeave()
}

// An operator with another key cannot tell which password the pods of before were made with. It replaces none of them, also
// when the password has changed meanwhile, and marks the pods that it makes.
func TestPodsThatWereMarkedWithAnotherKeyStay(t *testing.T) {
	t.Parallel()
	c := newClusterWithKey(t)
	c.setPassword("old")
	config, secret := c.withPassword()
	q := makeQWorker("w").replicas(2, 10)
	c.create(secret, config, q)
	pods := c.awaitPods("w", 2)
	c.run(pods...)
	c.stop()
	former := printOf(pods[0])
	if err := c.Delete(c.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: operator.FingerprintSecretName}}); err != nil {
		t.Fatal(err)
	}
	secret.StringData = map[string]string{"password": "new"}
	if err := c.Update(c.Context(), secret); err != nil {
		t.Fatal(err)
	}
	c.setPassword("new")
	c.startOperator()

	c.push(q.queueName(), 3)
	c.awaitReplacement(former) // which is one more, because the queue asks for it
	c.reconcileAnew("w")
	if with, without := granted(c.pods("w")); len(with) != 0 || len(without) != 3 {
		t.Errorf("%d leave and %d stay, want that all is well with 3\n%s", len(with), len(without), c.picture())
	}
}

// wantsNobodyToLeave has the fleet of 2 looked at once more: both stay.
func (c *cluster) wantsNobodyToLeave() {
	c.Helper()
	c.reconcileAnew("w")
	if with, without := granted(c.pods("w")); len(with) != 0 || len(without) != 2 {
		c.Errorf("%d leave and %d stay, want that all is well with 2\n%s", len(with), len(without), c.picture())
	}
}
