package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// burst measures 0 -> 1000 pods: from one push of 1000 messages until a watcher sees the last pod. Its limit
// is a bare client that creates as many of the same pods, 64 at once, until the same watcher sees the last.
func burst(ctx context.Context, s *stand, o options) ([]figure, error) {
	var (
		name  = fmt.Sprintf("0 -> %d pods", o.pods)
		limit = fmt.Sprintf("limit: a bare client creates %d pods", o.pods)
		c     collector
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	node, err := newNode(ctx, s, false, false)
	if err != nil {
		return nil, err
	}
	if err := s.client.Create(ctx, qworker("burst", queue, o.pods)); err != nil {
		return nil, err
	}
	if err := s.awaitQWorkers(ctx, 1, isRead); err != nil {
		return nil, err
	}
	for range o.runs {
		began := time.Now()
		if err := s.push(ctx, queue, o.pods); err != nil {
			return nil, err
		}
		seen, err := node.awaitCount(ctx, o.pods)
		if err != nil {
			return nil, err
		}
		c.took(name, seen.Sub(began))
		like := node.snapshot()[0]
		if err := s.purge(ctx, queue); err != nil {
			return nil, err
		}
		if _, err := node.awaitCount(ctx, 0); err != nil {
			return nil, err
		}
		took, err := s.createBare(ctx, node, like, o.pods)
		if err != nil {
			return nil, err
		}
		c.took(limit, took)
		if err := s.deleteBare(ctx, node); err != nil {
			return nil, err
		}
	}
	return c.figures, c.limit(name, limit)
}

// createBare creates n pods and waits until the node has seen them all.
func (s *stand) createBare(ctx context.Context, n *node, like *corev1.Pod, count int) (time.Duration, error) {
	before := len(n.snapshot())
	began := time.Now()
	err := inParallel(count, func(i int) error {
		return s.client.Create(ctx, bare(like, fmt.Sprintf("bare-%d", i)))
	})
	if err != nil {
		return 0, err
	}
	seen, err := n.awaitCount(ctx, before+count)
	return seen.Sub(began), err
}

// deleteBare deletes all pods that are the node's to see.
func (s *stand) deleteBare(ctx context.Context, n *node) error {
	if err := s.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), client.GracePeriodSeconds(0)); err != nil {
		return err
	}
	_, err := n.awaitCount(ctx, 0)
	return err
}
