package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
)

const queue = "bench-queue"

// pushToPod measures the time from a push to an idle queue until a watcher sees the pod, 0 -> 1. Its limit is
// the time from the creation of the same pod by a bare client until the same watcher sees it. The two take
// turns, so that both meet the same machine.
func pushToPod(ctx context.Context, s *stand, o options) ([]figure, error) {
	return s.latency(ctx, o, "push to pod, 0 -> 1, doorbell")
}

// pushToPodPolled is the same on a Redis that may not tell of changes by itself.
func pushToPodPolled(ctx context.Context, s *stand, o options) ([]figure, error) {
	acl := s.redis.B().AclSetuser().Username("polled").Rule("on", ">polled", "~*", "+@all", "-client|tracking").Build()
	if err := s.redis.Do(ctx, acl).Error(); err != nil {
		return nil, err
	}
	config := scalerConfig(s.server.Port())
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(config), config); err != nil {
		return nil, err
	}
	before := config.DeepCopy()
	config.Spec.Config.Username = "polled"
	config.Spec.Config.Password = &v1alpha1.PasswordSource{Value: ptr.To("polled")}
	if err := s.client.Patch(ctx, config, client.MergeFrom(before)); err != nil {
		return nil, err
	}
	const fewer = 10 // a sample takes about a second
	o.samples = max(o.samples/fewer, fewer)
	return s.latency(ctx, o, "push to pod, 0 -> 1, polled every second")
}

func (s *stand) latency(ctx context.Context, o options, name string) ([]figure, error) {
	const limit = "limit: a bare client creates the pod"
	if err := s.client.Create(ctx, qworker("bench", queue, 1)); err != nil {
		return nil, err
	}
	if err := s.awaitQWorkers(ctx, 1, isRead); err != nil {
		return nil, err
	}
	pods, err := s.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	defer pods.Stop()
	var c collector
	for i := range o.samples {
		took, like, err := s.samplePush(ctx, pods)
		if err != nil {
			return nil, fmt.Errorf("sample %d, %w", i, err)
		}
		c.took(name, took)
		if took, err = s.sampleCreate(ctx, pods, like); err != nil {
			return nil, fmt.Errorf("limit %d, %w", i, err)
		}
		c.took(limit, took)
	}
	return c.figures, c.limit(name, limit)
}

// samplePush pushes, waits for the pod, removes the message and waits for the pod's end.
func (s *stand) samplePush(ctx context.Context, pods watch.Interface) (took time.Duration, made *corev1.Pod, err error) {
	began := time.Now()
	if err := s.push(ctx, queue, 1); err != nil {
		return 0, nil, err
	}
	if made, err = await(pods, watch.Added); err != nil {
		return 0, nil, err
	}
	took = time.Since(began)
	if err := s.purge(ctx, queue); err != nil {
		return 0, nil, err
	}
	_, err = await(pods, watch.Deleted)
	return took, made, err
}

func (s *stand) sampleCreate(ctx context.Context, pods watch.Interface, like *corev1.Pod) (time.Duration, error) {
	pod := bare(like, "bare")
	began := time.Now()
	if err := s.client.Create(ctx, pod); err != nil {
		return 0, err
	}
	if _, err := await(pods, watch.Added); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if err := s.client.Delete(ctx, pod, client.GracePeriodSeconds(0)); err != nil {
		return 0, err
	}
	_, err := await(pods, watch.Deleted)
	return took, err
}

// bare is a pod like one of the operator's that the operator does not look after.
func bare(like *corev1.Pod, name string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: *like.Spec.DeepCopy()}
	for _, v := range pod.Spec.Volumes {
		if v.Projected != nil {
			pod.Spec.Volumes = nil // the service account's token, if it is there: admission adds it again
			pod.Spec.Containers[0].VolumeMounts = nil
		}
	}
	return pod
}

// await waits for an event of a kind.
func await(events watch.Interface, kind watch.EventType) (*corev1.Pod, error) {
	timeout := time.NewTimer(waitLimit)
	defer timeout.Stop()
	for {
		select {
		case event, ok := <-events.ResultChan():
			if !ok {
				return nil, fmt.Errorf("the watch ended before an event %s", kind)
			}
			if event.Type == kind {
				return event.Object.(*corev1.Pod), nil
			}
		case <-timeout.C:
			return nil, fmt.Errorf("no event %s within %s", kind, waitLimit)
		}
	}
}
