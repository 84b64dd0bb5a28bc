package redis

import (
	"context"
	"fmt"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// reclaimStep is how many bytes one step gives back: it holds up every other client for a millisecond or so.
const reclaimStep = "1048576"

// Reclaim gives what a dead worker holds back to the head of its queue, in atomic steps.
func (d *driver) Reclaim(ctx context.Context, queue, worker string) (int64, error) {
	for moved := int64(0); ; {
		eval := d.client.B().Eval().Script(redislist.ReclaimScript).Numkeys(2).
			Key(redislist.Processing(queue, worker), queue).Arg(reclaimStep).Build()
		step, err := d.client.Do(ctx, eval).AsIntSlice()
		if err != nil {
			return moved, classify(err, d.endpoint)
		}
		if len(step) != 2 || (step[0] <= 0 && step[1] != 0) { // it would not end
			return moved, fmt.Errorf("giving back what %s holds of %s, Redis answers %v, and not how many tasks it has moved and how many are left", worker, queue, step)
		}
		if moved += step[0]; step[1] == 0 {
			return moved, nil
		}
	}
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
