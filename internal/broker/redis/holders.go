package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// holdings is a driver of a layout that tells who holds what.
type holdings struct {
	*driver
	searches *searches
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
	return d.processing(ctx, func(cursor uint64) rueidis.Completed {
		return d.client.B().Scan().Cursor(cursor).Match(redislist.AnyProcessing).Count(scanCount).Build()
	})
}

// processing finds the keys in which workers keep what they have taken.
func (d holdings) processing(ctx context.Context, scan func(cursor uint64) rueidis.Completed) (holders []broker.Holder, err error) {
	found := &search{of: d.searches}
	defer found.end()
	err = d.walk(ctx, scan, func(key string) (time.Duration, error) {
		queues, pod, ok := redislist.QueuesOf(key)
		if !ok {
			return 0, nil
		}
		holders = append(holders, broker.Holder{Queues: queues, Worker: pod})
		return 0, found.take(key)
	})
	if err != nil {
		return nil, err
	}
	return holders, nil
}

// walk visits all keys that a scan finds. A visit says how long it took of the server's time.
func (d holdings) walk(ctx context.Context, scan func(cursor uint64) rueidis.Completed, visit func(key string) (time.Duration, error)) error {
	took := time.Duration(0)
	for cursor, pages := uint64(0), 0; ; pages++ {
		var entry rueidis.ScanEntry
		page, err := d.page(ctx, pages > 0, func(ctx context.Context) (err error) {
			entry, err = d.client.Do(ctx, scan(cursor)).AsScanEntry()
			return err
		})
		if err != nil {
			return classify(err, d.config)
		}
		took += page + pagePause
		for _, key := range entry.Elements {
			visited, err := visit(key)
			if err != nil {
				return classify(err, d.config)
			}
			if took += visited; took >= walkTimeout {
				break
			}
		}
		if cursor = entry.Cursor; cursor == 0 && took < walkTimeout {
			return nil
		}
		if took >= walkTimeout {
			return fmt.Errorf("the search has not ended after %s, on %d pages", walkTimeout, pages+1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pagePause):
		}
	}
}

// page waits for its turn to ask the server something, and says how long that took.
func (d holdings) page(ctx context.Context, wasQuick bool, ask func(context.Context) error) (took time.Duration, err error) {
	turn, err := d.searches.turn(ctx, d.config.Address, wasQuick)
	if err != nil {
		return 0, err
	}
	defer turn.done()
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	err = ask(ctx)
	return time.Since(began), err
}
