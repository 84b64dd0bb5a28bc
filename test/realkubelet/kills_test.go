//go:build realkubelet

package realkubelet

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/books"
	"github.com/quickube/qscaler/local/crds"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

var (
	lasts   = flag.Duration("kills.for", 10*time.Minute, "how long it is killed")
	goImage = flag.String("image.go", "example-worker-go:latest", "image of examples/worker-go on the node")
	sdk     = flag.String("image.sdk", "example-worker-sdk:latest", "image of examples/worker-sdk on the node")
)

// story is one run, with a namespace and a Redis of its own.
type story struct {
	*testing.T
	client.Client
	node      *node
	namespace string
	broker    *redisserver.Server
	redis     rueidis.Client
	books     *books.Books
	logs      *logs
	operator  *victim
}

// TestNothingIsLostOnARealKubelet has every task done, and none of them interrupted or done twice but by a kill of its worker.
func TestNothingIsLostOnARealKubelet(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	s := tell(t)
	fleets := []*v1alpha1.QWorker{s.fleet("grants", *goImage), s.fleet("signals", *sdk)}
	fleets[1].Spec.Drain = &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: time.Minute}}
	s.create(s.scalerConfig())
	for _, f := range fleets {
		s.create(f)
	}

	ctx, stop := context.WithTimeout(t.Context(), *lasts)
	defer stop()
	ended := s.killAll(ctx)
	for _, f := range fleets {
		ended = append(ended, s.produce(ctx, f.Spec.ScaleConfig.Queue))
	}
	for range time.Tick(15 * time.Second) {
		s.refresh()
		t.Logf("%s: %d pushed, %d open", time.Now().Format("15:04:05"), s.books.Count(), len(s.books.Open()))
		if ctx.Err() != nil {
			break
		}
	}
	for _, e := range ended {
		<-e
	}
	s.settle(fleets)
	b := s.books.Balance(s.held(), func(string) bool { return false })
	t.Log(b)
	if !b.Sound() {
		t.Error("the books do not balance")
	}
}

// settle waits until every task is done, no worker is left, and no list.
func (s *story) settle(fleets []*v1alpha1.QWorker) {
	s.await("every task to be done", func() string {
		s.refresh()
		if open := s.books.Open(); len(open) > 0 {
			return fmt.Sprintf("%d are not: %.10v", len(open), open)
		}
		return ""
	})
	s.await("every worker to be gone", func() string {
		var pods corev1.PodList
		if err := s.List(s.Context(), &pods, client.InNamespace(s.namespace)); err != nil {
			return err.Error()
		}
		for _, p := range pods.Items {
			if p.Status.Phase != corev1.PodFailed { // the last that failed stay
				return fmt.Sprintf("%d pods are there, such as %s: %s", len(pods.Items), p.Name, p.Status.Phase)
			}
		}
		return ""
	})
	s.await("every list to be empty", func() string {
		if held := s.held(); len(held) > 0 {
			return fmt.Sprint(held)
		}
		return ""
	})
	for _, f := range fleets {
		s.await(f.Name+" to be ready", func() string {
			var q v1alpha1.QWorker
			if err := s.Get(s.Context(), client.ObjectKeyFromObject(f), &q); err != nil {
				return err.Error()
			}
			if !meta.IsStatusConditionTrue(q.Status.Conditions, v1alpha1.ConditionReady) {
				return fmt.Sprintf("%+v", q.Status)
			}
			return ""
		})
	}
}

// await waits for a condition: its function returns what is missing, "" once nothing is.
func (s *story) await(what string, missing func() string) {
	s.Helper()
	const limit = 5 * time.Minute
	last := missing()
	for deadline := time.Now().Add(limit); last != ""; last = missing() {
		if time.Now().After(deadline) {
			s.Fatalf("waiting for %s: %s", what, last)
		}
		<-time.After(time.Second)
	}
}

func tell(t *testing.T) *story {
	t.Helper()
	node := findNode(t)
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := crds.Install(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	s := &story{
		T: t, Client: c, node: node, namespace: fmt.Sprintf("kills-%06x", rand.N(1<<24)), books: books.New(),
		broker: redisservertest.Start(t),
	}
	s.redis, err = rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.broker.Addr()}, DisableCache: true, ForceSingleClient: true, DisableRetry: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.redis.Close)
	s.logs = s.followLogs()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := s.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s.operator = s.startOperator()
	t.Cleanup(func() { s.clear(namespace) })
	return s
}

// clear removes the fleets while the operator still runs, and then the namespace.
func (s *story) clear(namespace *corev1.Namespace) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.DeleteAllOf(ctx, &v1alpha1.QWorker{}, client.InNamespace(s.namespace)); err != nil {
		s.Log(err)
	}
	for ctx.Err() == nil {
		var left v1alpha1.QWorkerList
		if err := s.List(ctx, &left, client.InNamespace(s.namespace)); err == nil && len(left.Items) == 0 {
			break
		}
		<-time.After(time.Second)
	}
	if err := s.Delete(ctx, namespace); err != nil {
		s.Log(err)
	}
}

func (s *story) create(o client.Object) {
	s.Helper()
	o.SetNamespace(s.namespace)
	if err := s.Create(s.Context(), o); err != nil {
		s.Fatal(err)
	}
}

func (s *story) scalerConfig() *v1alpha1.ScalerConfig {
	return &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(s.broker.Port())),
		}},
	}
}

// fleet is a QWorker with a queue of its own name.
func (s *story) fleet(name, image string) *v1alpha1.QWorker {
	return &v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.QWorkerSpec{
			PodSpec: corev1.PodSpec{
				HostNetwork: true, AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false),
				Containers: []corev1.Container{{Name: container, Image: image, ImagePullPolicy: corev1.PullNever}},
			},
			ScaleConfig: v1alpha1.ScaleConfig{
				ScalerConfigRef: "redis", Queue: name, MaxReplicas: 6, ScaleDownDelay: &metav1.Duration{Duration: time.Second},
			},
		},
	}
}
