package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// reclaimStep is how many bytes one step moves: it holds up every other client for a millisecond or so.
const reclaimStep = "1048576"

// lists is a driver of lists, which keep what a worker has taken by its pod.
type lists struct{ holdings }

// Reclaim gives what a dead worker holds back to the head of its queue, in atomic steps. Each looks at the claim.
func (d lists) Reclaim(ctx context.Context, c broker.Claim, queue, worker string) (int64, error) {
	for moved := int64(0); ; {
		eval := d.client.B().Eval().Script(redislist.ReclaimScript).Numkeys(3).
			Key(redislist.Processing(queue, worker), queue, redislist.Operator(c.Cluster)).Arg(reclaimStep, c.Process).Build()
		step, err := d.client.Do(ctx, eval).AsIntSlice()
		if isWrongType(err) {
			return moved, wrongType(fmt.Sprintf("the key %q or the key %q is not a list", redislist.Processing(queue, worker), queue), err, d.config)
		}
		if err != nil {
			return moved, classify(err, d.config)
		}
		if len(step) != 2 || step[0] < 0 || step[1] < 0 || (step[0] == 0 && step[1] > 0) { // the last would not end
			return moved, fmt.Errorf("reclaiming what %s holds of %s, Redis answers %v, and not how many tasks it has moved and how many are left", worker, queue, step)
		}
		if moved += step[0]; step[1] == 0 {
			return moved, nil
		}
	}
}

// Held is broker.Reclaimer's.
func (d lists) Held(ctx context.Context, queue string, workers []string) ([]int64, error) {
	return d.counted(ctx, queue, workers, func(key string) rueidis.Completed { return d.client.B().Llen().Key(key).Build() })
}

// counted counts what workers hold of a queue, each in a key of its own.
func (d holdings) counted(ctx context.Context, queue string, workers []string, count func(key string) rueidis.Completed) ([]int64, error) {
	commands := make(rueidis.Commands, len(workers))
	for i, worker := range workers {
		commands[i] = count(redislist.Processing(queue, worker))
	}
	held := make([]int64, len(workers))
	for i, reply := range d.client.DoMulti(ctx, commands...) {
		n, err := reply.AsInt64()
		if text, ok := refused(err); ok && strings.HasPrefix(text, "WRONGTYPE") {
			continue // somebody else's key: it holds no tasks, and must not hide how many the others hold
		}
		if err != nil {
			return nil, classify(err, d.config)
		}
		if n < 0 || n > mostElements {
			return nil, fmt.Errorf("counting what %s holds of %s, Redis answers %d", workers[i], queue, n)
		}
		held[i] = n
	}
	return held, nil
}
