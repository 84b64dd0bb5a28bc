package main

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

const (
	// usageInterval is the time between two ticks, shorter than a cluster's minute: a tick costs the same.
	usageInterval = 30 * time.Second
	// digested is the time in which the operator has finished with a tick.
	digested = 10 * time.Second
)

// sizing measures a tick of right-sizing: the operator reads what 10,000 workers use, learns from it, and looks at
// each of them. What it uses in the same time without a tick is subtracted. The limit is a bare client that reads the
// same list.
func sizing(ctx context.Context, s *stand, o options) ([]figure, error) {
	count := 10 * o.pods
	node, err := newNode(ctx, s, true, false)
	if err != nil {
		return nil, err
	}
	if err := s.startWithUsage(ctx); err != nil {
		return nil, err
	}
	if err := s.client.Create(ctx, sizedWorkers(count)); err != nil {
		return nil, err
	}
	if _, err := node.awaitReady(ctx, count); err != nil {
		return nil, err
	}
	server, err := newMetricsServer(ctx, s, node.snapshot())
	if err != nil {
		return nil, err
	}
	isSized := func(q *v1alpha1.QWorker) bool { return len(q.Status.Recommendations) > 0 }
	if err := s.awaitQWorkers(ctx, 1, isSized); err != nil {
		return nil, err
	}
	var c collector
	for range o.runs {
		if err := s.measureTick(ctx, server, &c, count); err != nil {
			return nil, err
		}
	}
	return c.figures, errors.Join(
		c.limit(fmt.Sprintf("%d pods: processor", count), fmt.Sprintf("limit: a bare client reads %d: processor", count)),
		c.limit(fmt.Sprintf("%d pods: allocated", count), fmt.Sprintf("limit: a bare client reads %d: allocated", count)),
	)
}

// startWithUsage starts the operator anew, to read the usage of pods more often.
func (s *stand) startWithUsage(ctx context.Context) error {
	if err := s.operator.stop(); err != nil {
		return err
	}
	s.operator.argv = append(s.operator.argv, "--usage-interval", usageInterval.String())
	return s.operator.start(ctx)
}

// sizedWorkers are right-sized, and have more than they use: none needs a raise.
func sizedWorkers(count int) *v1alpha1.QWorker {
	q := qworker("sized", "sized", count)
	q.Spec.ScaleConfig.MinReplicas, q.Spec.ScaleConfig.ActivateVPA = q.Spec.ScaleConfig.MaxReplicas, true
	q.Spec.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")}
	return q
}

// usageOf is what the i-th worker uses: one of a hundred sizes, all of them below what sizedWorkers have.
func usageOf(i int) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewScaledQuantity(int64(100_123_456+i%100*3_000_000), resource.Nano),
		corev1.ResourceMemory: *resource.NewQuantity(int64(128+i%100)<<20, resource.BinarySI),
	}
}

func (s *stand) measureTick(ctx context.Context, server *metricsServer, c *collector, count int) error {
	before, err := server.nextTick(ctx)
	if err != nil {
		return err
	}
	var after, calm usage
	for _, u := range []*usage{&after, &calm} {
		if err := pause(ctx, digested); err != nil {
			return err
		}
		if *u, err = s.operator.read(ctx); err != nil {
			return err
		}
	}
	of := fmt.Sprintf("%d pods: ", count)
	c.took(of+"processor", (after.cpu-before.cpu)-(calm.cpu-after.cpu))
	c.add(of+"allocated", "MB", ((after.allocated-before.allocated)-(calm.allocated-after.allocated))/1e6)
	c.add(of+"memory (RSS)", "MiB", after.rss/(1<<20))
	return s.measureBareRead(ctx, c, count)
}

// measureBareRead is a plain client's share, in this process: the list, in the published type.
func (s *stand) measureBareRead(ctx context.Context, c *collector, count int) error {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(metricsVersion.WithKind("PodMetricsList"), &podMetricsList{})
	metav1.AddToGroupVersion(scheme, metricsVersion) // the options of a list
	bare, err := client.New(s.config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	var list podMetricsList
	if err := bare.List(ctx, &list, client.InNamespace(namespace), client.Limit(1)); err != nil { // what is asked once is known
		return err
	}
	list = podMetricsList{}
	goruntime.GC()
	before, allocated := processorHere(), allocatedHere()
	if err := bare.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return err
	}
	of := fmt.Sprintf("limit: a bare client reads %d: ", count)
	c.took(of+"processor", processorHere()-before)
	c.add(of+"allocated", "MB", (allocatedHere()-allocated)/1e6)
	if len(list.Items) != count {
		return fmt.Errorf("the list has %d pods, want %d", len(list.Items), count)
	}
	return nil
}

// processorHere is the processor time of this process.
func processorHere() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // it cannot fail
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func allocatedHere() float64 {
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return float64(m.TotalAlloc)
}
