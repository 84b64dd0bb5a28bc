package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// reclaimStep is how many bytes one step moves: it holds up every other client for a millisecond or so.
const reclaimStep = "1048576"

// lists is a driver of lists, which keep what a worker has taken by its pod.
type lists struct {
	*driver
	searches *searches
}

// Reclaim gives what a dead worker holds back to the head of its queue, in atomic steps. Each looks at the claim.
func (d lists) Reclaim(ctx context.Context, c broker.Claim, queue, worker string) (int64, error) {
	for moved := int64(0); ; {
		eval := d.client.B().Eval().Script(redislist.ReclaimScript).Numkeys(3).
			Key(redislist.Processing(queue, worker), queue, redislist.Operator(c.Cluster)).Arg(reclaimStep, c.Process).Build()
		step, err := d.client.Do(ctx, eval).AsIntSlice()
		if text, ok := refused(err); ok && strings.Contains(text, "WRONGTYPE") { // after the script's name, before Redis 7
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
	commands := make(rueidis.Commands, len(workers))
	for i, worker := range workers {
		commands[i] = d.client.B().Llen().Key(redislist.Processing(queue, worker)).Build()
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

const (
	// scanCount is how many keys the server looks at for one SCAN: enough to be quick, too few to hold up others.
	scanCount = 500
	// pageTimeout is how long a server may take for one SCAN, and pagePause what comes after it: who walks over many keys
	// is not the only one who wants something of the server.
	pageTimeout = 3 * time.Second
	pagePause   = time.Millisecond
	// walkTimeout is how long all pages of one walk may take together, the pauses included. The time in which the walk waits
	// for its turn behind others is not its own.
	walkTimeout = 10 * time.Minute
)

// Holders finds the processing lists of all queues in one incremental walk over the keys.
func (d lists) Holders(ctx context.Context) ([]broker.Holder, error) {
	var holders []broker.Holder
	found := &search{of: d.searches}
	defer found.end()
	took := time.Duration(0)
	for cursor, pages := uint64(0), 0; ; pages++ {
		entry, page, err := d.page(ctx, cursor, pages > 0)
		if err != nil {
			return nil, err
		}
		for _, key := range entry.Elements {
			if queues, pod, ok := redislist.QueuesOf(key); ok {
				if err := found.take(key); err != nil {
					return nil, classify(err, d.config)
				}
				holders = append(holders, broker.Holder{Queues: queues, Worker: pod})
			}
		}
		if cursor = entry.Cursor; cursor == 0 {
			return holders, nil
		}
		if took += page + pagePause; took >= walkTimeout {
			return nil, fmt.Errorf("the search has not ended after %s, on %d pages", walkTimeout, pages+1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pagePause):
		}
	}
}

// page is one step of the walk, and how long it took.
func (d lists) page(ctx context.Context, cursor uint64, wasQuick bool) (entry rueidis.ScanEntry, took time.Duration, err error) {
	turn, err := d.searches.turn(ctx, d.config.Address, wasQuick)
	if err != nil {
		return rueidis.ScanEntry{}, 0, classify(err, d.config)
	}
	defer turn.done()
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	scan := d.client.B().Scan().Cursor(cursor).Match(redislist.AnyProcessing).Count(scanCount).Build()
	entry, err = d.client.Do(ctx, scan).AsScanEntry()
	return entry, time.Since(began), classify(err, d.config)
}
