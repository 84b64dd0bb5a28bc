package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/redislist"
)

// leave measures a fleet in which half of the workers are too many, and then all. The first time the other half is
// busy: the grants must go to the idle ones, exactly as many. The limit is a bare client that writes the same
// annotation to as many other pods, 64 at once.
func leave(ctx context.Context, s *stand, o options) ([]figure, error) {
	var c collector
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n, err := newNode(ctx, s, true, true)
	if err != nil {
		return nil, err
	}
	if err := s.client.Create(ctx, qworker("leave", queue, o.pods)); err != nil {
		return nil, err
	}
	for range o.runs {
		if err := s.halfTooMany(ctx, n, o.pods, &c); err != nil {
			return nil, err
		}
		if err := s.allTooMany(ctx, n, o.pods, &c); err != nil {
			return nil, err
		}
	}
	return c.figures, c.limit(fmt.Sprintf(grantsFormat, o.pods), fmt.Sprintf(patchesFormat, o.pods))
}

const (
	grantsFormat  = "%d too many: until the last has a grant"
	patchesFormat = "limit: a bare client patches %d pods"
)

// halfTooMany counts who gets a grant in a fleet of which half is busy and half is too many.
func (s *stand) halfTooMany(ctx context.Context, n *node, pods int, c *collector) error {
	busy, err := s.halfBusy(ctx, n, pods)
	if err != nil {
		return err
	}
	if _, err := n.awaitCount(ctx, pods-pods/2); err != nil {
		return err
	}
	granted, _ := n.account()
	wrong := 0
	for _, name := range busy {
		if granted[name] {
			wrong++
		}
	}
	c.add("half too many: grants to idle workers", "grants", float64(len(granted)-wrong))
	c.add("half too many: grants to busy workers", "grants", float64(wrong))
	if err := s.purge(ctx, lists(busy)...); err != nil {
		return err
	}
	_, err = n.awaitCount(ctx, 0)
	return err
}

// allTooMany measures how long a full and idle fleet takes until all have a grant, and until all have left.
func (s *stand) allTooMany(ctx context.Context, n *node, pods int, c *collector) error {
	if err := s.fill(ctx, n, pods); err != nil {
		return err
	}
	like := n.snapshot()[0]
	n.setLeave(false) // for now: the pods of the limit do not leave either
	began := time.Now()
	if err := s.purge(ctx, queue); err != nil {
		return err
	}
	seen, err := n.await(ctx, "every grant", func(map[string]*corev1.Pod) bool { return len(n.granted) >= pods })
	if err != nil {
		return err
	}
	c.took(fmt.Sprintf(grantsFormat, pods), seen.Sub(began))
	n.setLeave(true)
	began = time.Now()
	if seen, err = n.awaitCount(ctx, 0); err != nil {
		return err
	}
	c.took(fmt.Sprintf("%d too many: from the last grant until the last has left", pods), seen.Sub(began))
	granted, _ := n.account()
	c.add(fmt.Sprintf("%d too many: grants", pods), "grants", float64(len(granted)))
	return s.patchAsMany(ctx, n, like, pods, c)
}

// patchAsMany is the limit. Its pods are none of the operator's, which would look at its fleet with each patch.
func (s *stand) patchAsMany(ctx context.Context, n *node, like *corev1.Pod, pods int, c *collector) error {
	if _, err := s.createBare(ctx, n, like, pods); err != nil {
		return err
	}
	if _, err := n.awaitReady(ctx, pods); err != nil {
		return err
	}
	took, err := s.patchBare(ctx, n)
	if err != nil {
		return err
	}
	c.took(fmt.Sprintf(patchesFormat, pods), took)
	return s.deleteBare(ctx, n)
}

// fill brings a fleet to its maximum.
func (s *stand) fill(ctx context.Context, n *node, pods int) error {
	if err := s.push(ctx, queue, pods); err != nil {
		return err
	}
	if _, err := n.awaitReady(ctx, pods); err != nil {
		return err
	}
	n.forget()
	return s.awaitQWorkers(ctx, 1, isReady)
}

// halfBusy fills a fleet, gives half of it a message in hand, and takes the other messages away.
func (s *stand) halfBusy(ctx context.Context, n *node, pods int) (busy []string, err error) {
	if err := s.fill(ctx, n, pods); err != nil {
		return nil, err
	}
	for _, pod := range n.snapshot()[:pods-pods/2] {
		busy = append(busy, pod.Name)
		move := s.redis.B().Lmove().Source(queue).Destination(redislist.Processing(queue, pod.Name)).Right().Left().Build()
		if err := s.redis.Do(ctx, move).Error(); err != nil {
			return nil, err
		}
	}
	return busy, s.purge(ctx, queue)
}

func lists(pods []string) []string {
	keys := make([]string, len(pods))
	for i, pod := range pods {
		keys[i] = redislist.Processing(queue, pod)
	}
	return keys
}

// patchBare writes an annotation of a grant's size to every pod, and waits until the node has seen it.
func (s *stand) patchBare(ctx context.Context, n *node) (time.Duration, error) {
	const key = "bench.quickube.com/mark"
	pods := n.snapshot()
	mark := time.Now().Format(time.RFC3339Nano)
	patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q,"bench.quickube.com/reason":%q}}}`, key, mark, contract.ReasonScaleDown))
	began := time.Now()
	err := inParallel(len(pods), func(i int) error {
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name = namespace, pods[i].Name
		return s.client.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch))
	})
	if err != nil {
		return 0, err
	}
	seen, err := n.await(ctx, "every mark", func(now map[string]*corev1.Pod) bool {
		return countOf(now, func(pod *corev1.Pod) bool { return pod.Annotations[key] == mark }) == len(pods)
	})
	return seen.Sub(began), err
}
