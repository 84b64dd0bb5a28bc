package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/worker/contract"
)

// rollout measures how long a fleet takes to become one of another revision, with pods that are ready at once
// and workers that leave at once. Its limit is a bare client that creates as many pods, writes an annotation
// to as many and deletes as many, one kind after the other, 64 at once.
func rollout(ctx context.Context, s *stand, o options) ([]figure, error) {
	var (
		name  = fmt.Sprintf("%d pods become a new revision", o.pods)
		limit = fmt.Sprintf("limit: a bare client creates, patches and deletes %d", o.pods)
		most  = "most pods at once"
		c     collector
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n, err := newNode(ctx, s, true, true)
	if err != nil {
		return nil, err
	}
	fleet := qworker("rollout", queue, o.pods)
	if err := s.client.Create(ctx, fleet); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, n, o.pods); err != nil {
		return nil, err
	}
	for i := range o.runs {
		n.forget()
		old, err := s.release(ctx, client.ObjectKeyFromObject(fleet), fmt.Sprint(i))
		if err != nil {
			return nil, err
		}
		began := time.Now()
		seen, err := n.await(ctx, "the new revision alone", func(pods map[string]*corev1.Pod) bool {
			return len(pods) == o.pods && countOf(pods, func(pod *corev1.Pod) bool {
				return pod.Labels[contract.LabelPodSpecHash] != old && isRunning(pod)
			}) == o.pods
		})
		if err != nil {
			return nil, err
		}
		c.took(name, seen.Sub(began))
		_, pods := n.account()
		c.add(most, "pods", float64(pods))
	}
	like := n.snapshot()[0]
	if err := s.purge(ctx, queue); err != nil {
		return nil, err
	}
	if _, err := n.awaitCount(ctx, 0); err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.acknowledge = false
	n.mu.Unlock()
	for range o.runs {
		began := time.Now()
		if _, err := s.createBare(ctx, n, like, o.pods); err != nil {
			return nil, err
		}
		if _, err := s.patchBare(ctx, n); err != nil {
			return nil, err
		}
		pods := n.snapshot()
		if err := inParallel(len(pods), func(i int) error { return s.client.Delete(ctx, pods[i]) }); err != nil {
			return nil, err
		}
		seen, err := n.awaitCount(ctx, 0)
		if err != nil {
			return nil, err
		}
		c.took(limit, seen.Sub(began))
	}
	return c.figures, c.limit(name, limit)
}

// release changes a fleet's spec, and returns the revision that it had.
func (s *stand) release(ctx context.Context, fleet client.ObjectKey, version string) (old string, err error) {
	var q v1alpha1.QWorker
	if err := s.client.Get(ctx, fleet, &q); err != nil {
		return "", err
	}
	before := q.DeepCopy()
	q.Spec.PodSpec.Containers[0].Env = []corev1.EnvVar{{Name: "RELEASE", Value: version}}
	return q.Status.CurrentPodSpecHash, s.client.Patch(ctx, &q, client.MergeFrom(before))
}
