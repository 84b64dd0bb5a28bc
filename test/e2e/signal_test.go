// Package e2e_test tries whole stories: a real API server, a real Redis, the operator, and a node that runs
// workers as processes of this machine.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/local/controlplane"
	"github.com/quickube/qscaler/internal/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/internal/local/node"
	"github.com/quickube/qscaler/internal/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/internal/operator"
)

var shared *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(controlplanetest.Run(m, func(c *controlplane.ControlPlane) { shared = c }))
}

// patience bounds every wait; it is only used up by a failing test.
const patience = time.Minute

// worker knows nothing of the drain file: it finishes its task on SIGTERM, as Celery, RQ and Dramatiq do. A task
// takes 2 s, in steps that a signal cannot cut short.
const worker = `
trap 'stop=yes' TERM
list="{$QSCALER_QUEUE}:processing:$POD_NAME"
redis() { redis-cli -h "${QSCALER_BROKER_ADDRESS%:*}" -p "${QSCALER_BROKER_ADDRESS##*:}" "$@"; }
while [ -z "$stop" ]; do
  task=$(redis LMOVE "$QSCALER_QUEUE" "$list" RIGHT LEFT)
  if [ -z "$task" ]; then sleep 0.1; continue; fi
  i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i+1)); done
  redis INCR done >/dev/null
  redis LREM "$list" 1 "$task" >/dev/null
done
exit 0
`

func background(t *testing.T, what string, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	})
}

func eventually(t *testing.T, what string, missing func() string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		m := missing()
		if m == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: %s", what, m)
		case <-tick.C:
		}
	}
}

// TestSignalModeInterruptsNobody rolls a busy fleet out that only knows SIGTERM, and scales it down.
func TestSignalModeInterruptsNobody(t *testing.T) {
	const tasks = 12
	namespace := controlplanetest.Namespace(t, shared)
	redis := redisservertest.Start(t)
	local, err := node.New(node.Options{Config: shared.Config(), Name: "e2e", Dir: t.TempDir(), Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	background(t, "the node", local.Run)
	background(t, "the operator", func(ctx context.Context) error {
		return operator.Run(ctx, operator.Options{
			Config: shared.Config(), Log: logr.Discard(), Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0",
			SkipNameValidation: true, Registerer: prometheus.NewRegistry(),
		})
	})
	api, err := client.New(shared.Config(), client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redis.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(queue.Close)
	do := func(args ...string) int64 {
		n, err := queue.Do(t.Context(), queue.B().Arbitrary(args...).Build()).AsInt64()
		if err != nil && !rueidis.IsRedisNil(err) {
			t.Fatalf("%v: %v", args, err)
		}
		return n
	}

	config := &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "redis"},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt32(int32(redis.Port()))),
		}},
	}
	qw := &v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "w"},
		Spec: v1alpha1.QWorkerSpec{
			PodSpec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "worker", Image: "shell", Command: []string{"sh", "-c", worker},
				Env: []corev1.EnvVar{{Name: "PATH", Value: os.Getenv("PATH")}},
			}}},
			ScaleConfig: v1alpha1.ScaleConfig{ScalerConfigRef: "redis", Queue: "tasks", MaxReplicas: 4, ScaleDownDelay: &metav1.Duration{}},
			Drain:       &v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal, MaxTaskDuration: &metav1.Duration{Duration: time.Minute}},
			Rollout:     &v1alpha1.RolloutSpec{MinReadySeconds: ptr.To[int32](0)},
		},
	}
	for i := range tasks {
		do("LPUSH", "tasks", fmt.Sprintf("task-%d", i))
	}
	for _, object := range []client.Object{config, qw} {
		if err := api.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "workers are busy", func() string {
		if n := do("GET", "done"); n < 2 {
			return fmt.Sprintf("%d tasks are done", n)
		}
		return ""
	})
	patch := []byte(`{"spec":{"podMetadata":{"annotations":{"version":"2"}}}}`)
	if err := api.Patch(t.Context(), qw, client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all tasks are done, and the workers have left", func() string {
		var pods corev1.PodList
		if err := api.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
			return err.Error()
		}
		if n := do("GET", "done"); n != tasks || len(pods.Items) > 0 {
			return fmt.Sprintf("%d of %d are done, there are %d pods", n, tasks, len(pods.Items))
		}
		return ""
	})
	var events eventsv1.EventList
	if err := api.List(t.Context(), &events, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range events.Items {
		seen[e.Reason] = true
	}
	if !seen["SignalLeave"] || seen["GrantLeave"] || seen["TasksReturned"] {
		t.Errorf("events %v, want workers to be signalled, none to be granted leave, and no task to be given back", seen)
	}
}
