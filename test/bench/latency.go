package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

const (
	queue    = "bench-queue"
	patience = 30 * time.Second
)

// pushToPod measures the time from a push to an idle queue until a watcher sees the pod, 0 -> 1. Its limit is
// the time from the creation of the same pod by a bare client until the same watcher sees it. The two take
// turns, so that both meet the same machine.
func pushToPod(ctx context.Context, s *stand, samples int) ([]result, error) {
	if err := s.client.Create(ctx, &v1alpha1.QWorker{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bench"},
		Spec: v1alpha1.QWorkerSpec{PodSpec: podSpec(), ScaleConfig: v1alpha1.ScaleConfig{
			ScalerConfigRef: "redis", Queue: queue, MaxReplicas: 1, ScaleDownDelay: &metav1.Duration{},
		}},
	}); err != nil {
		return nil, err
	}
	if err := s.awaitRead(ctx); err != nil {
		return nil, err
	}
	pods, err := s.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	defer pods.Stop()

	var pushed, created []time.Duration
	for i := range samples {
		took, err := s.samplePush(ctx, pods)
		if err != nil {
			return nil, fmt.Errorf("sample %d, %w", i, err)
		}
		pushed = append(pushed, took)
		if took, err = s.sampleCreate(ctx, pods); err != nil {
			return nil, fmt.Errorf("limit %d, %w", i, err)
		}
		created = append(created, took)
	}
	limit := summarise("limit: a bare client creates the pod", created)
	figure := summarise("push to pod, 0 -> 1, doorbell", pushed)
	limit.Ratio, figure.Ratio = 1, float64(figure.P50)/float64(limit.P50)
	return []result{figure, limit}, nil
}

// awaitRead waits until the operator has read the queue.
func (s *stand) awaitRead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	workers, err := s.client.Watch(ctx, &v1alpha1.QWorkerList{}, client.InNamespace(namespace))
	if err != nil {
		return err
	}
	defer workers.Stop()
	for event := range workers.ResultChan() {
		if q, ok := event.Object.(*v1alpha1.QWorker); ok && q.Status.Queue != nil {
			return nil
		}
	}
	return fmt.Errorf("the operator did not read the queue within %s", patience)
}

// samplePush pushes, waits for the pod, takes the message away again and waits for the pod's end.
func (s *stand) samplePush(ctx context.Context, pods watch.Interface) (time.Duration, error) {
	began := time.Now()
	if err := s.redis.Do(ctx, s.redis.B().Lpush().Key(queue).Element("x").Build()).Error(); err != nil {
		return 0, err
	}
	if err := await(pods, watch.Added); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if err := s.redis.Do(ctx, s.redis.B().Del().Key(queue).Build()).Error(); err != nil {
		return 0, err
	}
	return took, await(pods, watch.Deleted)
}

func (s *stand) sampleCreate(ctx context.Context, pods watch.Interface) (time.Duration, error) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "bare-"}, Spec: podSpec()}
	began := time.Now()
	if err := s.client.Create(ctx, pod); err != nil {
		return 0, err
	}
	if err := await(pods, watch.Added); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if err := s.client.Delete(ctx, pod, client.GracePeriodSeconds(0)); err != nil {
		return 0, err
	}
	return took, await(pods, watch.Deleted)
}

// await waits for an event of a kind.
func await(events watch.Interface, kind watch.EventType) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case event, ok := <-events.ResultChan():
			if !ok {
				return fmt.Errorf("the watch ended before an event %s", kind)
			}
			if event.Type == kind {
				return nil
			}
		case <-timeout.C:
			return fmt.Errorf("no event %s within %s", kind, patience)
		}
	}
}
