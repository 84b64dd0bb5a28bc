package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane"
	"github.com/quickube/qscaler/local/crds"
	"github.com/quickube/qscaler/local/redisserver"
)

const (
	namespace  = metav1.NamespaceDefault
	configName = "redis"
	// waitLimit bounds every wait.
	waitLimit = 10 * time.Minute
	// parallel is how many requests a bare client has under way at once, as many as the operator.
	parallel = 64
)

// stand is what a measure stands on: a control plane, a Redis, and the operator as a process.
type stand struct {
	config    *rest.Config
	client    client.WithWatch
	clientset kubernetes.Interface
	redis     rueidis.Client
	server    *redisserver.Server
	operator  *operatorProcess
	stops     []func()
}

func newStand(ctx context.Context, program string) (_ *stand, err error) {
	s := &stand{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	dir, err := os.MkdirTemp("", "qscaler-bench-")
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, func() { _ = os.RemoveAll(dir) })
	plane, err := s.startControlPlane(ctx, filepath.Join(dir, "controlplane"))
	if err != nil {
		return nil, err
	}
	if err := s.startRedis(ctx, filepath.Join(dir, "redis")); err != nil {
		return nil, err
	}
	s.config = plane.Config()
	s.client, err = client.NewWithWatch(s.config, client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		return nil, err
	}
	binary := plane.Config()
	binary.ContentType = runtime.ContentTypeProtobuf // what the operator speaks, too
	s.clientset, err = kubernetes.NewForConfig(binary)
	if err != nil {
		return nil, err
	}
	s.operator, err = newOperatorProcess(program, filepath.Join(dir, "operator"), plane.Kubeconfig())
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, s.operator.close)
	if err := s.client.Create(ctx, scalerConfig(s.server.Port())); err != nil {
		return nil, err
	}
	return s, s.operator.start(ctx)
}

func (s *stand) startControlPlane(ctx context.Context, dir string) (*controlplane.ControlPlane, error) {
	paths, err := controlplane.Find()
	if err != nil {
		return nil, err
	}
	plane, err := controlplane.Start(ctx, controlplane.Options{Dir: dir, Paths: paths})
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, func() { _ = plane.Stop() })
	return plane, crds.Install(ctx, plane.Config())
}

func (s *stand) startRedis(ctx context.Context, dir string) (err error) {
	s.server, err = redisserver.Start(ctx, redisserver.Options{Dir: dir, Args: []string{"--appendonly", "no"}})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func() { _ = s.server.Stop() })
	s.redis, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.server.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return err
	}
	s.stops = append(s.stops, s.redis.Close)
	return nil
}

func (s *stand) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

func scalerConfig(port int) *v1alpha1.ScalerConfig {
	return &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: configName},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(port)),
		}},
	}
}

// qworker is a fleet that shrinks at once.
func qworker(name, queue string, most int) *v1alpha1.QWorker {
	return &v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.QWorkerSpec{
			PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker:1"}}},
			ScaleConfig: v1alpha1.ScaleConfig{
				ScalerConfigRef: configName, Queue: queue, MaxReplicas: int32(most), //nolint:gosec // a few thousand
				ScaleDownDelay: &metav1.Duration{},
			},
			Rollout: &v1alpha1.RolloutSpec{MinReadySeconds: ptr.To[int32](0)}, // waiting is not what is measured
		},
	}
}

// push adds n messages to a queue at once.
func (s *stand) push(ctx context.Context, queue string, n int) error {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprint(i)
	}
	return s.redis.Do(ctx, s.redis.B().Lpush().Key(queue).Element(messages...).Build()).Error()
}

func (s *stand) purge(ctx context.Context, keys ...string) error {
	return s.redis.Do(ctx, s.redis.B().Del().Key(keys...).Build()).Error()
}

// awaitQWorkers waits until every QWorker has what is wanted.
func (s *stand) awaitQWorkers(ctx context.Context, n int, has func(*v1alpha1.QWorker) bool) error {
	ctx, cancel := context.WithTimeout(ctx, waitLimit)
	defer cancel()
	var list v1alpha1.QWorkerList
	if err := s.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return err
	}
	good := map[string]bool{}
	for i := range list.Items {
		if has(&list.Items[i]) {
			good[list.Items[i].Name] = true
		}
	}
	events, err := s.client.Watch(ctx, &v1alpha1.QWorkerList{}, client.InNamespace(namespace), &client.ListOptions{
		Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion},
	})
	if err != nil {
		return err
	}
	defer events.Stop()
	for len(good) < n {
		event, open := <-events.ResultChan()
		if !open {
			return fmt.Errorf("%d of %d QWorkers are as they should be", len(good), n)
		}
		if q, ok := event.Object.(*v1alpha1.QWorker); ok && has(q) {
			good[q.Name] = true
		}
	}
	return nil
}

// isRead reports whether the operator has read a QWorker's queue.
func isRead(q *v1alpha1.QWorker) bool { return q.Status.Queue != nil }

// inParallel calls do for 0 to n-1, so many at once, as a bare client would.
func inParallel(n int, do func(int) error) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
		slots = make(chan struct{}, parallel)
	)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first = err
				}
			}
		})
	}
	wg.Wait()
	return first
}
