package redis

import (
	"context"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// Reclaim gives what a dead worker holds back to the head of its queue, in one atomic step.
func (d *driver) Reclaim(ctx context.Context, queue, worker string) (int64, error) {
	eval := d.client.B().Eval().Script(redislist.ReclaimScript).Numkeys(2).
		Key(redislist.Processing(queue, worker), queue).Build()
	moved, err := d.client.Do(ctx, eval).AsInt64()
	return moved, classify(err, d.endpoint)
}

// scanCount is how many keys the server looks at for one SCAN: enough to be quick, too few to hold up others.
const scanCount = 1000

// Holders finds the processing lists of all queues in one incremental walk over the keys.
func (d *driver) Holders(ctx context.Context) ([]broker.Holder, error) {
	var holders []broker.Holder
	for cursor := uint64(0); ; {
		entry, err := d.client.Do(ctx, d.client.B().Scan().Cursor(cursor).Match(redislist.AnyProcessing).Count(scanCount).Build()).AsScanEntry()
		if err != nil {
			return nil, classify(err, d.endpoint)
		}
		for _, key := range entry.Elements {
			if queues, pod, ok := redislist.QueuesOf(key); ok {
				holders = append(holders, broker.Holder{Queues: queues, Worker: pod})
			}
		}
		if cursor = entry.Cursor; cursor == 0 {
			return holders, nil
		}
	}
}
