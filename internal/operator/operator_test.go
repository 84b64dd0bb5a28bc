package operator_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

var shared *controlplane.ControlPlane

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(controlplanetest.Run(m, func(c *controlplane.ControlPlane) { shared = c }))
}

// waitLimit bounds every wait; only a failing test uses it up.
const waitLimit = 60 * time.Second

func await(t *testing.T, what string, check func() (complaint string)) {
	t.Helper()
	complaint := ""
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, waitLimit, true, func(context.Context) (bool, error) {
		complaint = check()
		return complaint == "", nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v: %s", what, err, complaint)
	}
}

// run runs one replica of the operator, until stop.
func run(t *testing.T, o operator.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	if o.Log.GetSink() == nil {
		o.Log = logr.Discard()
	}
	o.SkipNameValidation = true
	if o.Config == nil {
		o.Config = shared.Config()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	go func() { ended <- operator.Run(ctx, o) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("a replica ended with: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func newClient(t *testing.T) client.Client {
	t.Helper()
	c, err := client.New(shared.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func create(t *testing.T, c client.Client, namespace string, redis *redisserver.Server, fleet string, replicas int32) {
	t.Helper()
	for _, object := range []client.Object{
		&v1alpha1.ScalerConfig{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "redis"},
			Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
				Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(redis.Port())),
			}},
		},
		&v1alpha1.QWorker{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fleet},
			Spec: v1alpha1.QWorkerSpec{
				PodSpec:     corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker"}}},
				ScaleConfig: v1alpha1.ScaleConfig{ScalerConfigRef: "redis", Queue: "q", MinReplicas: replicas, MaxReplicas: 10},
			},
		},
	} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func pods(t *testing.T, c client.Client, namespace string) int {
	t.Helper()
	var list corev1.PodList
	if err := c.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return len(list.Items)
}

// Of two replicas one acts. When it stops, the other goes on from what it finds, and creates nothing twice.
func TestTheSecondReplicaTakesOver(t *testing.T) {
	namespace, c := controlplanetest.Namespace(t, shared), newClient(t)
	options := operator.Options{
		Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0",
		LeaderElection: true, LeaderElectionNamespace: namespace,
	}
	holder := func() string {
		var leases coordinationv1.LeaseList
		if err := c.List(t.Context(), &leases, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for _, lease := range leases.Items {
			return ptr.Deref(lease.Spec.HolderIdentity, "")
		}
		return ""
	}
	stopFirst := run(t, options)
	await(t, "the first to lead", func() string {
		if holder() == "" {
			return "nobody does"
		}
		return ""
	})
	first := holder()
	run(t, options)
	create(t, c, namespace, redisservertest.Start(t), "fleet", 3)
	await(t, "3 workers", func() string {
		if n := pods(t, c, namespace); n != 3 {
			return fmt.Sprintf("there are %d", n)
		}
		return ""
	})

	stopFirst()
	await(t, "the second to lead", func() string {
		if now := holder(); now == "" || now == first {
			return "the lease is held by " + now
		}
		return ""
	})
	var qw v1alpha1.QWorker
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "fleet"}, &qw); err != nil {
		t.Fatal(err)
	}
	before := qw.DeepCopy()
	qw.Spec.ScaleConfig.MinReplicas = 5
	if err := c.Patch(t.Context(), &qw, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	await(t, "5 workers", func() string {
		if n := pods(t, c, namespace); n != 5 {
			return fmt.Sprintf("there are %d", n)
		}
		return ""
	})
}

// freeAddress is an address that nobody listened at a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// get asks a URL, and complains of every answer but a good one.
func get(t *testing.T, url string) (complaint string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s: %s (%v)", response.Status, strings.TrimSpace(string(body)), err)
	}
	return ""
}

// A replica says whether it is alive and ready, also one that waits for its turn to lead.
func TestProbes(t *testing.T) {
	namespace := controlplanetest.Namespace(t, shared)
	for range 2 {
		probes := freeAddress(t)
		run(t, operator.Options{
			Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: probes,
			LeaderElection: true, LeaderElectionNamespace: namespace,
		})
		for _, path := range []string{"/healthz", "/readyz"} {
			await(t, path, func() string { return get(t, "http://"+probes+path) })
		}
	}
}
