package qworker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/worker/contract"
)

// obstacle is why the API server refuses pods: set up, it refuses those of the QWorker "refused" and lets those of
// "welcome" through, until it is cleared.
type obstacle struct {
	setUp func(*cluster) (mend func())
	// welcome makes a QWorker one that is let through.
	welcome func(qw)
	// says are the API server's words.
	says string
	// passes is true where nobody has to change the QWorker or what refuses it.
	passes bool
}

func obstacles() map[string]obstacle {
	return map[string]obstacle{
		"a LimitRange": {
			setUp: func(c *cluster) func() {
				atLeast := func(cpu string) []corev1.LimitRangeItem {
					return []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Min: corev1.ResourceList{"cpu": resource.MustParse(cpu)}}}
				}
				r := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Spec: corev1.LimitRangeSpec{Limits: atLeast("1")}}
				c.create(r)
				return func() { // not by deleting it: the API server would remember it for half a minute
					r.Spec.Limits = atLeast("1m")
					if err := c.Update(c.Context(), r); err != nil {
						c.Fatal(err)
					}
				}
			},
			welcome: func(q qw) {
				q.Spec.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("2")}
			},
			says: "minimum cpu usage per Container is 1",
		},
		"a quota": {
			setUp: func(c *cluster) func() {
				quota := c.setQuota("0", "0", corev1.ResourceQuotaScopeNotBestEffort)
				return func() {
					quota.Spec.Hard[corev1.ResourcePods] = resource.MustParse("100")
					if err := c.Update(c.Context(), quota); err != nil {
						c.Fatal(err)
					}
					c.countQuota(quota, "0")
				}
			},
			welcome: func(q qw) { q.Spec.PodSpec.Containers[0].Resources.Requests = nil },
			says:    "exceeded quota: quota",
			passes:  true,
		},
		"pod security": {
			setUp: func(c *cluster) func() {
				c.setPodSecurity("restricted")
				return func() { c.setPodSecurity("privileged") }
			},
			welcome: func(q qw) {
				q.Spec.PodSpec.SecurityContext = &corev1.PodSecurityContext{
					RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				}
				q.Spec.PodSpec.Containers[0].SecurityContext = &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				}
			},
			says: `violates PodSecurity "restricted:latest"`,
		},
		"a webhook that denies": {
			setUp: func(c *cluster) func() {
				w := newWebhook(c.T)
				c.register(w.config("refused", admissionregistrationv1.Create))
				return func() { w.denies.Store(false) }
			},
			says: "denied the request: " + denial,
		},
		"a webhook that is away": {
			setUp: func(c *cluster) func() {
				w := &webhook{url: "https://127.0.0.1:1"}
				return c.register(w.config("refused", admissionregistrationv1.Create))
			},
			says:   "failed calling webhook",
			passes: true,
		},
	}
}

// What the API server refuses is said in its words, is tried ever less often, however often the queue changes, is
// nobody else's trouble, and is over by itself.
func TestPodsThatTheAPIServerRefuses(t *testing.T) {
	for name, o := range obstacles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, b := costed(t)
			welcome, refused := makeQWorker("welcome"), makeQWorker("refused").replicas(0, 100)
			if o.welcome != nil {
				o.welcome(welcome)
			}
			mend := o.setUp(c)
			c.awaitRefusal("refused")
			c.create(c.scalerConfig("config"), refused, welcome)

			began := time.Now()
			const pushes = 20
			for n := range int32(pushes) {
				c.push(refused.queueName(), 1)
				c.eventually("the push to be seen", func() string {
					if st := c.status("refused"); st.DesiredReplicas != n+1 {
						return fmt.Sprintf("%d workers are asked for", st.DesiredReplicas)
					}
					return ""
				})
			}
			tried := b.take()["POST pods"] + int(b.dryRuns.Load())
			if most := 2 * triesWithin(time.Since(began)); tried == 0 || tried > most {
				t.Errorf("%d pods were tried in %s, want 1 to %d", tried, time.Since(began), most)
			}
			reason := "PodRefused"
			if o.passes {
				reason = "WriteFailed"
			}
			condition := c.awaitCondition("refused", v1alpha1.ConditionReady, metav1.ConditionFalse, reason)
			if !strings.Contains(condition.Message, o.says) {
				t.Errorf("Ready has not the API server's words %q: %s", o.says, condition.Message)
			}

			c.push(welcome.queueName(), 1)
			c.run(c.awaitPods("welcome", 1)...)
			c.awaitCondition("welcome", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
			if n := len(c.pods("refused")); n > 0 {
				t.Errorf("%d pods were let through", n)
			}

			mend()
			c.awaitPods("refused", pushes)
			c.awaitCondition("refused", v1alpha1.ConditionReady, metav1.ConditionFalse, "ScalingUp")
		})
	}
}

// Leave that the API server refuses to write is not written in a hot loop either, and a deletion that hangs for it
// says so.
func TestGrantsThatTheAPIServerRefuses(t *testing.T) {
	t.Parallel()
	b := &bill{calls: map[string]int{}}
	c := newAdjustedCluster(t, func(o *operator.Options) {
		o.Config.Wrap(b.wrap)
		o.QueueStatusInterval = time.Millisecond // every reading is shown
	})
	const workers = 4
	q := makeQWorker("refused").replicas(0, 10)
	c.push(q.queueName(), workers)
	c.settled(q, workers)
	pods := c.pods("refused")
	w := newWebhook(t)
	c.register(w.config("refused", admissionregistrationv1.Update))
	c.awaitRefusedUpdate(pods[0])

	b.take()
	began := time.Now()
	c.do("DEL", q.queueName())
	condition := c.awaitCondition("refused", v1alpha1.ConditionReady, metav1.ConditionFalse, "WriteFailed")
	if words := "denied the request: " + denial; !strings.Contains(condition.Message, words) {
		t.Errorf("Ready has not the API server's words %q: %s", words, condition.Message)
	}
	inFlight := func(want int64) {
		c.eventually("the reading to be seen", func() string {
			if st := c.status("refused"); st.Queue == nil || ptr.Deref(st.Queue.InFlight, -1) != want {
				return fmt.Sprintf("the queue is %+v", st.Queue)
			}
			return ""
		})
	}
	for range 10 { // a task comes and goes
		c.push(q.queueName(), 1)
		c.hold(q.queueName(), pods[0].Name)
		inFlight(1)
		c.do("DEL", "{"+q.queueName()+"}:processing:"+pods[0].Name)
		inFlight(0)
	}
	tried := b.take()["PATCH pods"]
	if most := workers * triesWithin(time.Since(began)); tried == 0 || tried > most {
		t.Errorf("%d grants were tried in %s, want 1 to %d", tried, time.Since(began), most)
	}

	if err := c.Delete(t.Context(), q.QWorker); err != nil {
		t.Fatal(err)
	}
	condition = c.awaitCondition("refused", v1alpha1.ConditionReady, metav1.ConditionFalse, "Deleting")
	if !strings.Contains(condition.Message, denial) {
		t.Errorf("Ready does not say why nobody leaves: %s", condition.Message)
	}
	w.denies.Store(false)
	with, _ := c.awaitGrants("refused", workers)
	c.exit(0, with...)
	c.awaitGone(q.QWorker)
}

// A status that the API server refuses is not written with each reading, and holds nothing up.
func TestAStatusThatTheAPIServerRefuses(t *testing.T) {
	t.Parallel()
	c, b := costed(t)
	q := makeQWorker("refused")
	c.create(c.scalerConfig("config"), q)
	c.awaitRead("refused")
	w := newWebhook(t)
	config := w.config("refused", admissionregistrationv1.Update)
	config.Webhooks[0].ObjectSelector = nil
	config.Webhooks[0].Rules[0].Rule = admissionregistrationv1.Rule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, APIVersions: []string{"*"}, Resources: []string{"qworkers/status"},
	}
	c.register(config)
	patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"replicas":7}}`))
	c.eventually("a status to be refused", func() string {
		if err := c.Status().Patch(t.Context(), q.DeepCopy(), patch, client.DryRunAll); err == nil {
			return "it is let through"
		}
		return ""
	})

	b.take()
	began := time.Now()
	const pushes = 10
	for n := range pushes {
		c.push(q.queueName(), 1)
		c.awaitPods("refused", n+1)
	}
	tried := b.take()["PATCH qworkers/status"]
	if most := triesWithin(time.Since(began)); tried == 0 || tried > most {
		t.Errorf("%d statuses were tried in %s, want 1 to %d", tried, time.Since(began), most)
	}
	w.denies.Store(false)
	c.eventually("the status to be written", func() string {
		if st := c.status("refused"); st.Replicas != pushes {
			return fmt.Sprintf("it has %d replicas", st.Replicas)
		}
		return ""
	})
}

// triesWithin is how often in a time something is tried at most that fails, with 100 ms to the next try and twice as
// long each time.
func triesWithin(d time.Duration) int {
	tries := 1
	for pause := 100 * time.Millisecond; d >= pause; pause *= 2 {
		d -= pause
		tries++
	}
	return tries
}

// awaitRefusal waits until the API server refuses pods of a QWorker: what it goes by is in a cache of its own.
func (c *cluster) awaitRefusal(worker string) {
	c.Helper()
	c.eventually("a pod to be refused", func() string {
		probe := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: "probe", Labels: map[string]string{contract.LabelQWorker: worker}},
			Spec:       makeQWorker(worker).Spec.PodSpec,
		}
		if err := c.Create(c.Context(), probe, client.DryRunAll); err == nil {
			return "it is let through"
		}
		return ""
	})
}

func (c *cluster) awaitRefusedUpdate(pod corev1.Pod) {
	c.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"probe":"probe"}}}`))
	c.eventually("an update to be refused", func() string {
		if err := c.Patch(c.Context(), pod.DeepCopy(), patch, client.DryRunAll); err == nil {
			return "it is let through"
		}
		return ""
	})
}

// setPodSecurity sets the namespace's level of pod security, which the API server enforces by itself.
func (c *cluster) setPodSecurity(level string) {
	c.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":%q}}}`, level)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}
	if err := c.Patch(c.Context(), namespace, client.RawPatch(types.MergePatchType, patch)); err != nil {
		c.Fatal(err)
	}
}

// register has the API server ask a webhook, until the test ends or unregister is called.
func (c *cluster) register(config *admissionregistrationv1.ValidatingWebhookConfiguration) (unregister func()) {
	c.Helper()
	config.Name = c.namespace
	config.Webhooks[0].NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: c.namespace}}
	if err := c.Create(c.Context(), config); err != nil {
		c.Fatal(err)
	}
	unregister = func() {
		if err := c.Delete(context.Background(), config); client.IgnoreNotFound(err) != nil {
			c.Error(err)
		}
	}
	c.Cleanup(unregister)
	return unregister
}
