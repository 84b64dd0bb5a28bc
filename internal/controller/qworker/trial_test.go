package qworker_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/worker/contract"
)

// What the API server would refuse with the first message is known before there is one, in the words of the user's own
// fields, and is over once it is mended.
func TestPodsThatWouldBeRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.create(c.scalerConfig("config"))
	for name, tc := range map[string]struct {
		spoil func(*v1alpha1.QWorkerSpec)
		says  string
	}{
		"no-image":   {func(s *v1alpha1.QWorkerSpec) { s.PodSpec.Containers[0].Image = "" }, `spec.podSpec.containers[0].image: Required value`},
		"a-bad-name": {func(s *v1alpha1.QWorkerSpec) { s.PodSpec.Containers[0].Name = "My_Worker" }, `spec.podSpec.containers[0].name: Invalid value: "My_Worker"`},
		"a-variable": {func(s *v1alpha1.QWorkerSpec) {
			s.PodSpec.Containers[0].Env = []corev1.EnvVar{{Name: "A"}, {Name: "B", ValueFrom: &corev1.EnvVarSource{}}}
		}, `spec.podSpec.containers[0].env[1].valueFrom: Invalid value`},
		"a-mount": {func(s *v1alpha1.QWorkerSpec) {
			s.PodSpec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "none", MountPath: "/data"}}
		}, `spec.podSpec.containers[0].volumeMounts[0].name: Not found: "none"`},
		"a-label": {func(s *v1alpha1.QWorkerSpec) {
			s.PodMetadata = &v1alpha1.PodMetadata{Labels: map[string]string{"a": "not a value"}}
		}, `spec.podMetadata.labels: Invalid value: "not a value"`},
		"slips": {func(s *v1alpha1.QWorkerSpec) {
			s.Newer = []v1alpha1.NewerField{{Name: "nodeSelektor", Value: `{"a":"b"}`}, {Of: "containers[0]", Name: "imgae", Value: `"x"`}}
		}, `the API server's pods have no such field, correct its name or remove it: unknown field "spec.podSpec.containers[0].imgae", unknown field "spec.podSpec.nodeSelektor"`},
	} {
		t.Run(name, func(t *testing.T) {
			q := makeQWorker(name)
			good := q.Spec.DeepCopy()
			tc.spoil(&q.Spec)
			c.create(q)
			for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
				status := metav1.ConditionFalse
				if kind == v1alpha1.ConditionStalled {
					status = metav1.ConditionTrue
				}
				if got := c.awaitCondition(name, kind, status, "PodRefused").Message; !strings.Contains(got, tc.says) {
					t.Errorf("%s does not have %q: %s", kind, tc.says, got)
				}
			}
			if n := len(c.pods(name)); n > 0 {
				t.Errorf("the dry run has made %d pods", n)
			}
			q.Spec = *good
			q.QWorker = c.updated(q.QWorker)
			c.awaitCondition(name, v1alpha1.ConditionReady, metav1.ConditionTrue, "Idle")
		})
	}
}

// A revision that would be refused takes nobody's place, also where there is no pod: the next message is for the
// revision that works.
func TestARevisionThatWouldBeRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("works").replicas(0, 10)
	c.push(q.queueName(), 1)
	c.settled(q, 1)
	works := c.status("works").CurrentPodSpecHash
	c.do("DEL", q.queueName())
	with, _ := c.awaitGrants("works", 1)
	c.exit(0, with...)
	c.awaitPods("works", 0)

	q.Spec.PodSpec.Containers[0].Image = ""
	q.QWorker = c.updated(q.QWorker)
	condition := c.awaitCondition("works", v1alpha1.ConditionProgressing, metav1.ConditionFalse, "CanaryRefused")
	if want := "spec.podSpec.containers[0].image: Required value"; !strings.Contains(condition.Message, want) {
		t.Errorf("Progressing does not have %q: %s", want, condition.Message)
	}
	c.push(q.queueName(), 1)
	for _, pod := range c.awaitPods("works", 1) {
		if pod.Labels["quickube.com/pod-spec-hash"] != works {
			t.Errorf("pod %s is of revision %s, want %s", pod.Name, pod.Labels["quickube.com/pod-spec-hash"], works)
		}
	}
	if hash := c.status("works").CurrentPodSpecHash; hash != works {
		t.Errorf("revision %s is published, want %s", hash, works)
	}
}

// A webhook that hangs says nothing of a pod. The QWorker is told of as if nobody had asked, the fleets beside it scale,
// and once the webhook answers, its answer is told.
func TestAWebhookThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	w := newWebhook(t)
	w.hangs = make(chan struct{})
	answer := sync.OnceFunc(func() { close(w.hangs) })
	t.Cleanup(answer) // the server waits for those that it serves
	config := w.config("asks", admissionregistrationv1.Create)
	config.Webhooks[0].TimeoutSeconds = ptr.To[int32](30)
	c.register(config)
	c.eventually("the webhook to be asked", func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_ = c.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "probe", Labels: map[string]string{contract.LabelQWorker: "asks"}},
			Spec:       makeQWorker("asks").Spec.PodSpec,
		}, client.DryRunAll)
		if w.asked.Load() == 0 {
			return "it is not"
		}
		return ""
	})
	asks, other := makeQWorker("asks"), makeQWorker("other")
	c.create(c.scalerConfig("config"), asks, other)
	c.push(other.queueName(), 1)
	c.run(c.awaitPods("other", 1)...)
	c.awaitCondition("other", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	c.awaitCondition("asks", v1alpha1.ConditionReady, metav1.ConditionTrue, "Idle")
	answer()
	if got := c.awaitCondition("asks", v1alpha1.ConditionReady, metav1.ConditionFalse, "PodRefused").Message; !strings.Contains(got, denial) {
		t.Errorf("Ready does not have %q: %s", denial, got)
	}
}

// An operator that has no right to create pods says so, also where none is wanted. It is not the pod spec that is wrong.
func TestNoRightToCreatePods(t *testing.T) {
	t.Parallel()
	all := []string{"*"}
	role := &rbacv1.ClusterRole{Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group, "apps", "authorization.k8s.io", "coordination.k8s.io", "events.k8s.io"}, Resources: all, Verbs: all},
		{APIGroups: []string{""}, Resources: []string{"events", "namespaces", "nodes", "secrets"}, Verbs: all},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch", "patch", "delete"}},
	}}
	c := newAdjustedCluster(t, func(o *operator.Options) {
		o.Config = rest.CopyConfig(o.Config)
		o.Config.Impersonate.UserName = "cannot-create-pods"
		grant(t, o.Namespaces[0], o.Config.Impersonate.UserName, role)
	})
	c.create(c.scalerConfig("config"), makeQWorker("idle"))
	const words = `User "cannot-create-pods" cannot create resource "pods"`
	if got := c.awaitCondition("idle", v1alpha1.ConditionReady, metav1.ConditionFalse, "WriteFailed").Message; !strings.Contains(got, words) {
		t.Errorf("Ready does not have %q: %s", words, got)
	}
	for _, condition := range c.status("idle").Conditions {
		if condition.Type == v1alpha1.ConditionStalled && condition.Status == metav1.ConditionTrue {
			t.Errorf("the QWorker is stalled: %s", condition.Message)
		}
	}
	role.Rules[2].Verbs = all
	if err := c.Update(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	c.awaitCondition("idle", v1alpha1.ConditionReady, metav1.ConditionTrue, "Idle")
}

// grant gives a user the rights of a role, under a name of its own, until the test ends.
func grant(t *testing.T, name, user string, role *rbacv1.ClusterRole) {
	t.Helper()
	admin, err := client.New(shared.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	role.Name = name
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: rbacv1.GroupName, Name: name},
	}
	for _, object := range []client.Object{role, binding} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := admin.Delete(context.Background(), object); err != nil {
				t.Error(err)
			}
		})
	}
}

// updated writes the spec of a QWorker over what is there.
func (c *cluster) updated(q *v1alpha1.QWorker) *v1alpha1.QWorker {
	c.Helper()
	var present v1alpha1.QWorker
	c.eventually("the update of "+q.Name, func() string {
		if err := c.Get(c.Context(), client.ObjectKeyFromObject(q), &present); err != nil {
			return err.Error()
		}
		present.Spec = q.Spec
		if err := c.Update(c.Context(), &present); err != nil {
			return err.Error()
		}
		return ""
	})
	return &present
}
