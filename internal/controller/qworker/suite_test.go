package qworker_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

var shared *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(controlplanetest.Run(m, func(c *controlplane.ControlPlane) { shared = c }))
}

// cluster is a namespace of a real API server with the whole operator running for it, a real Redis, and the
// test in the kubelet's place.
type cluster struct {
	*testing.T
	client.Client
	namespace string
	redis     *redisserver.Server
	// adjust changes how the operator is started; nil changes nothing.
	adjust func(*operator.Options)
	stop   func()
}

// waitLimit bounds every wait; it is only used up by a failing test.
const waitLimit = 30 * time.Second

func newCluster(t *testing.T, redisArgs ...string) *cluster {
	t.Helper()
	return newAdjustedCluster(t, nil, redisArgs...)
}

func newAdjustedCluster(t *testing.T, adjust func(*operator.Options), redisArgs ...string) *cluster {
	t.Helper()
	c, err := client.New(shared.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	cl := &cluster{T: t, Client: c, namespace: controlplanetest.Namespace(t, shared), redis: redisservertest.Start(t, redisArgs...), adjust: adjust}
	cl.startOperator()
	return cl
}

// startOperator runs the operator until the test ends or stop is called.
func (c *cluster) startOperator() {
	c.endClaim()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	options := operator.Options{
		Config: shared.Config(), Log: testr.NewWithOptions(c.T, testr.Options{Verbosity: -1}),
		Namespaces: []string{c.namespace}, MetricsAddress: "0", ProbeAddress: "0",
		LeaderElection: true, LeaderElectionNamespace: c.namespace,
		UsageInterval:      200 * time.Millisecond,
		ConfigInterval:     200 * time.Millisecond,
		SkipNameValidation: true, Registerer: prometheus.NewRegistry(),
	}
	if c.adjust != nil {
		c.adjust(&options)
	}
	go func() { ended <- operator.Run(ctx, options) }()
	stopped := false
	c.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			c.Errorf("the operator ended with: %v", err)
		}
	}
	c.Cleanup(func() { c.stop() })
}

// endClaim ends the claim of the operator before, which else lasts for half a minute.
func (c *cluster) endClaim() {
	conn, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{c.redis.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return // the test has it be away, or ask for a password
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	keys, _ := conn.Do(ctx, conn.B().Keys().Pattern(redislist.Operator("*")).Build()).AsStrSlice()
	for _, key := range keys {
		_ = conn.Do(ctx, conn.B().Del().Key(key).Build()).Error()
	}
}

func (c *cluster) do(args ...string) rueidis.RedisResult {
	c.Helper()
	conn, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{c.redis.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		c.Fatal(err)
	}
	defer conn.Close()
	r := conn.Do(context.Background(), conn.B().Arbitrary(args...).Build())
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		c.Fatalf("%v: %v", args, err)
	}
	return r
}

func (c *cluster) push(queue string, n int) {
	for i := range n {
		c.do("LPUSH", queue, fmt.Sprintf("task-%d", i))
	}
}

// hold moves a task into a pod's processing list, as its worker would.
func (c *cluster) hold(queue, pod string) {
	c.do("LMOVE", queue, redislist.Processing(queue, pod), "RIGHT", "LEFT")
}

func (c *cluster) create(objects ...client.Object) {
	c.Helper()
	for _, o := range objects {
		if q, ok := o.(qw); ok {
			o = q.QWorker
		}
		o.SetNamespace(c.namespace)
		if err := c.Create(c.Context(), o); err != nil {
			c.Fatal(err)
		}
	}
}

func (c *cluster) scalerConfig(name string) *v1alpha1.ScalerConfig {
	return &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt32(int32(c.redis.Port()))),
		}},
	}
}

// qw builds a QWorker: makeQWorker("a").queue("q").replicas(1, 10).
type qw struct{ *v1alpha1.QWorker }

func makeQWorker(name string) qw {
	return qw{&v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.QWorkerSpec{
			PodSpec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "worker", Image: "worker:1",
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1m")}},
			}}},
			ScaleConfig: v1alpha1.ScaleConfig{
				ScalerConfigRef: "config", Queue: name + "-queue", MaxReplicas: 10,
				ScaleDownDelay: &metav1.Duration{},
			},
			Rollout: &v1alpha1.RolloutSpec{MinReadySeconds: ptr.To[int32](0)},
		},
	}}
}

func (q qw) replicas(minimum, maximum int32) qw {
	q.Spec.ScaleConfig.MinReplicas, q.Spec.ScaleConfig.MaxReplicas = minimum, maximum
	return q
}

func (q qw) rollout(change func(*v1alpha1.RolloutSpec)) qw { change(q.Spec.Rollout); return q }

func (q qw) queueName() string { return q.Spec.ScaleConfig.Queue }

// eventually waits for a condition, which says what is missing.
func (c *cluster) eventually(what string, missing func() string) {
	c.Helper()
	deadline := time.Now().Add(waitLimit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		m := missing()
		if m == "" {
			return
		}
		if time.Now().After(deadline) {
			c.Fatalf("%s: %s\n%s", what, m, c.picture())
		}
		<-tick.C
	}
}

// picture is what a person would look at.
func (c *cluster) picture() string {
	var b strings.Builder
	var workers v1alpha1.QWorkerList
	_ = c.List(c.Context(), &workers, client.InNamespace(c.namespace))
	for _, w := range workers.Items {
		fmt.Fprintf(&b, "%s: %+v\n", w.Name, w.Status)
	}
	for _, p := range c.pods("") {
		fmt.Fprintf(&b, "pod %s: %s, drain %q, deleted %v\n", p.Name, p.Status.Phase, p.Annotations[contract.AnnotationDrain], p.DeletionTimestamp)
	}
	for _, e := range c.events() {
		fmt.Fprintf(&b, "event %s: %s\n", e.Reason, e.Note)
	}
	return b.String()
}

func (c *cluster) events() []eventsv1.Event {
	var list eventsv1.EventList
	if err := c.List(c.Context(), &list, client.InNamespace(c.namespace)); err != nil {
		c.Fatal(err)
	}
	return list.Items
}

// pods lists the pods of a QWorker that are not being deleted, or all.
func (c *cluster) pods(worker string) []corev1.Pod {
	c.Helper()
	var list corev1.PodList
	options := []client.ListOption{client.InNamespace(c.namespace)}
	if worker != "" {
		options = append(options, client.MatchingLabels{contract.LabelQWorker: worker})
	}
	if err := c.List(c.Context(), &list, options...); err != nil {
		c.Fatal(err)
	}
	return list.Items
}

func (c *cluster) awaitPods(worker string, n int) []corev1.Pod {
	c.Helper()
	var pods []corev1.Pod
	c.eventually(fmt.Sprintf("%d pods of %s", n, worker), func() string {
		pods = c.pods(worker)
		if len(pods) != n {
			return fmt.Sprintf("there are %d", len(pods))
		}
		return ""
	})
	return pods
}

// run makes a pod's worker run and be ready, as a kubelet would.
func (c *cluster) run(pods ...corev1.Pod) {
	c.Helper()
	for _, p := range pods {
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "worker", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			Resources: &p.Spec.Containers[0].Resources,
		}}
		if err := c.Status().Update(c.Context(), &p); err != nil {
			c.Fatal(err)
		}
	}
}

// exit ends a pod's worker with a code, after it has run for a minute.
func (c *cluster) exit(code int32, pods ...corev1.Pod) {
	c.Helper()
	for _, p := range pods {
		if err := c.Get(c.Context(), client.ObjectKeyFromObject(&p), &p); err != nil {
			c.Fatal(err)
		}
		p.Status.Phase = corev1.PodSucceeded
		if code != 0 {
			p.Status.Phase = corev1.PodFailed
		}
		p.Status.Conditions = nil
		now := time.Now()
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: code, StartedAt: metav1.NewTime(now.Add(-time.Minute)), FinishedAt: metav1.NewTime(now)},
		}}}
		if err := c.Status().Update(c.Context(), &p); err != nil {
			c.Fatal(err)
		}
	}
}

// granted splits pods by whether they have a grant.
func granted(pods []corev1.Pod) (with, without []corev1.Pod) {
	for _, p := range pods {
		if p.Annotations[contract.AnnotationDrain] != "" {
			with = append(with, p)
		} else {
			without = append(without, p)
		}
	}
	return with, without
}

func (c *cluster) awaitGrants(worker string, n int) (with, without []corev1.Pod) {
	c.Helper()
	c.eventually(fmt.Sprintf("%d grants of %s", n, worker), func() string {
		with, without = granted(c.pods(worker))
		if len(with) != n {
			return fmt.Sprintf("there are %d", len(with))
		}
		return ""
	})
	return with, without
}

func (c *cluster) status(worker string) v1alpha1.QWorkerStatus {
	c.Helper()
	var q v1alpha1.QWorker
	if err := c.Get(c.Context(), client.ObjectKey{Namespace: c.namespace, Name: worker}, &q); err != nil {
		c.Fatal(err)
	}
	return q.Status
}

func (c *cluster) awaitCondition(worker, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	c.Helper()
	var found metav1.Condition
	c.eventually(fmt.Sprintf("%s: %s %s %s", worker, kind, status, reason), func() string {
		condition := meta.FindStatusCondition(c.status(worker).Conditions, kind)
		if condition == nil {
			return "there is no such condition"
		}
		found = *condition
		if found.Status != status || found.Reason != reason {
			return fmt.Sprintf("it is %s %s: %s", found.Status, found.Reason, found.Message)
		}
		return ""
	})
	return found
}
