package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"github.com/redis/rueidis"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/local/controlplane"
	"github.com/quickube/qscaler/internal/local/crds"
	"github.com/quickube/qscaler/internal/local/redisserver"
	"github.com/quickube/qscaler/internal/operator"
)

// stand is what is measured: a control plane, a Redis, and the operator in this process. Nobody runs the
// pods, so that the operator and the API server are what takes time.
type stand struct {
	client client.WithWatch
	redis  rueidis.Client
	stops  []func()
}

const namespace = "default"

func newStand(ctx context.Context) (_ *stand, err error) {
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
	paths, err := controlplane.Find()
	if err != nil {
		return nil, err
	}
	plane, err := controlplane.Start(ctx, controlplane.Options{Dir: filepath.Join(dir, "controlplane"), Paths: paths})
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, func() { _ = plane.Stop() })
	if err := crds.Install(ctx, plane.Config()); err != nil {
		return nil, err
	}
	server, err := redisserver.Start(ctx, redisserver.Options{Dir: filepath.Join(dir, "redis"), Args: []string{"--appendonly", "no"}})
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, func() { _ = server.Stop() })
	s.redis, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return nil, err
	}
	s.stops = append(s.stops, s.redis.Close)

	config := plane.Config()
	config.QPS = -1
	s.client, err = client.NewWithWatch(config, client.Options{Scheme: operator.NewScheme()})
	if err != nil {
		return nil, err
	}
	s.runOperator(ctx, plane)
	return s, s.client.Create(ctx, &v1alpha1.ScalerConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "redis"},
		Spec: v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerRedis, Config: v1alpha1.BrokerConfig{
			Host: "127.0.0.1", Port: ptr.To(intstr.FromInt32(int32(server.Port()))),
		}},
	})
}

func (s *stand) runOperator(ctx context.Context, plane *controlplane.ControlPlane) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- operator.Run(ctx, operator.Options{Config: plane.Config(), Log: logr.Discard(), MetricsAddress: "0", ProbeAddress: "0"})
	}()
	s.stops = append(s.stops, func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "bench: the operator:", err)
		}
	})
}

func (s *stand) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "worker", Image: "worker:1"}}}
}
