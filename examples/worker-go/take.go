package main

import (
	"context"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// takeWhenFull moves the next task. Redis above its maxmemory refuses BLMOVE. A script may move a task there once it has
// written something, and RPOP counts as that though it takes no task here.
const takeWhenFull = `redis.call('RPOP', KEYS[1], 0)
return redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')`

// take moves the next task into this pod's list: the error is that of nil after 1 s without one.
func (w *worker) take(ctx context.Context) (string, error) {
	task, err := w.redis.Do(ctx, w.redis.B().Blmove().Source(w.queue).Destination(w.processing).Right().Left().Timeout(1).Build()).ToString()
	if refusal, ok := rueidis.IsRedisErr(err); !ok || !strings.HasPrefix(refusal.Error(), "OOM ") {
		return task, err
	}
	task, err = w.redis.Do(ctx, w.redis.B().Eval().Script(takeWhenFull).Numkeys(2).Key(w.queue, w.processing).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		time.Sleep(time.Second)
	}
	return task, err
}
