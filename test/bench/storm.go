package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// storm measures a tenth of many idle queues that get a message at the same instant: from the pushes, in one
// pipeline, until a watcher sees the last pod. Its limit is a bare client that creates as many pods.
func storm(ctx context.Context, s *stand, o options) ([]figure, error) {
	const part = 10
	size := slices.Max(o.sizes)
	count := max(size/part, 1)
	var (
		name  = fmt.Sprintf("%d of %d queues burst at once: until the last pod", count, size)
		limit = fmt.Sprintf("limit: a bare client creates %d pods", count)
		c     collector
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.createIdle(ctx, 0, size); err != nil {
		return nil, err
	}
	if err := s.awaitQWorkers(ctx, size, isReady); err != nil {
		return nil, err
	}
	n, err := newNode(ctx, s, false, false)
	if err != nil {
		return nil, err
	}
	var pushes, purges rueidis.Commands
	for i := range count {
		queue := fmt.Sprintf("idle-%d", i*part)
		pushes = append(pushes, s.redis.B().Lpush().Key(queue).Element("x").Build().Pin())
		purges = append(purges, s.redis.B().Del().Key(queue).Build().Pin())
	}
	for range o.runs {
		began := time.Now()
		if err := s.pipeline(ctx, pushes); err != nil {
			return nil, err
		}
		seen, err := n.awaitCount(ctx, count)
		if err != nil {
			return nil, err
		}
		c.took(name, seen.Sub(began))
		like := n.snapshot()[0]
		if err := s.pipeline(ctx, purges); err != nil {
			return nil, err
		}
		if _, err := n.awaitCount(ctx, 0); err != nil {
			return nil, err
		}
		took, err := s.createBare(ctx, n, like, count)
		if err != nil {
			return nil, err
		}
		c.took(limit, took)
		if err := s.deleteBare(ctx, n); err != nil {
			return nil, err
		}
	}
	return c.figures, c.limit(name, limit)
}

func (s *stand) pipeline(ctx context.Context, commands rueidis.Commands) error {
	for _, reply := range s.redis.DoMulti(ctx, commands...) {
		if err := reply.Error(); err != nil {
			return err
		}
	}
	return nil
}
