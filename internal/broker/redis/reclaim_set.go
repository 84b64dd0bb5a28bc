package redis

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// sortedSets is a driver of sorted sets, which keep what a worker has taken by its pod.
type sortedSets struct{ holdings }

// reclaimSetLua moves the members that a dead worker holds, KEYS[1], to the queue KEYS[2], each with its score, 1000 at a
// time. One that somebody has added to the queue meanwhile keeps the score that it has there. Nothing is moved unless the
// claim KEYS[3] is that of ARGV[1]. The first command changes nothing: who may not remove is refused before anything is added.
const reclaimSetLua = `local operator = redis.call('GET', KEYS[3])
if string.sub(operator or '', 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then return redis.error_reply('` + redislist.NotClaimed + ` ' .. (operator or '')) end
redis.call('ZREMRANGEBYRANK', KEYS[1], 1, 0)
local held = redis.call('ZRANGE', KEYS[1], 0, 999, 'WITHSCORES')
for i = 1, #held, 2 do redis.call('ZADD', KEYS[2], 'NX', held[i + 1], held[i]) end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #held / 2 - 1)
return {#held / 2, redis.call('ZCARD', KEYS[1])}`

// Reclaim returns what a dead worker holds to the queue, in atomic steps. Each looks at the claim.
func (d sortedSets) Reclaim(ctx context.Context, c broker.Claim, queue, worker string) (int64, error) {
	processing := redislist.Processing(queue, worker)
	for moved := int64(0); ; {
		eval := d.client.B().Eval().Script(reclaimSetLua).Numkeys(3).Key(processing, queue, redislist.Operator(c.Cluster)).Arg(c.Process).Build()
		step, err := d.client.Do(ctx, eval).AsIntSlice()
		if isWrongType(err) {
			return moved, wrongType(fmt.Sprintf("the key %q or the key %q is not a sorted set", processing, queue), err, d.config)
		}
		if err != nil {
			return moved, classify(err, d.config)
		}
		if len(step) != 2 || step[0] < 0 || step[1] < 0 || (step[0] == 0 && step[1] > 0) { // the last would not end
			return moved, fmt.Errorf("reclaiming what %s holds of %s, Redis answers %v, and not how many members it has moved and how many are left", worker, queue, step)
		}
		if moved += step[0]; step[1] == 0 {
			return moved, nil
		}
	}
}

// Held is broker.Reclaimer's.
func (d sortedSets) Held(ctx context.Context, queue string, workers []string) ([]int64, error) {
	return d.counted(ctx, queue, workers, func(key string) rueidis.Completed { return d.client.B().Zcard().Key(key).Build() })
}

// Holders finds the sorted sets of workers in one incremental walk over the keys.
func (d sortedSets) Holders(ctx context.Context) ([]broker.Holder, error) {
	return d.processing(ctx, func(cursor uint64) rueidis.Completed {
		return d.client.B().Scan().Cursor(cursor).Match(redislist.AnyProcessing).Count(scanCount).Type("zset").Build()
	})
}
