package worker_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker"
)

// footprint is what a worker keeps.
type footprint struct {
	goroutines, connections int
	heap                    uint64
}

func (b *bench) footprint() footprint {
	b.Helper()
	clients, err := b.do("CLIENT", "LIST").ToString()
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), strings.Count(clients, "\n"), m.HeapAlloc}
}

// A hundred thousand tasks later a worker keeps what it kept after the first thousands.
func TestNothingGrowsWithTheTasksThatAreDone(t *testing.T) {
	b := newBench(t)
	const first, more, concurrency = 5_000, 100_000, 50
	r := b.start(func(context.Context, *worker.Task) error { return nil }, worker.WithConcurrency(concurrency))
	b.fill(first)
	b.awaitEmpty()
	before := b.footprint()
	b.fill(more)
	b.awaitEmpty()
	after := b.footprint()
	const growth = 4 << 20 // bytes: buffers that have grown with the longest batch
	if after.goroutines > before.goroutines+concurrency || after.connections > before.connections || after.heap > before.heap+growth {
		t.Errorf("it kept %+v after %d tasks, and keeps %+v after %d", before, first, after, first+more)
	}
	r.cancel()
	r.left()
	b.eventually("the worker's connections to be closed", func() string {
		if clients, err := b.do("CLIENT", "LIST").ToString(); err != nil || strings.Contains(clients, "cmd=blmove") || strings.Contains(clients, "cmd=evalsha") {
			return fmt.Sprintf("there are\n%s (%v)", clients, err)
		}
		return ""
	})
}
