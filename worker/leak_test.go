package worker_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
)

// footprint is what a worker keeps. Its connections are those of the user named worker: the test has some of its own,
// which its client opens as it likes.
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
	return footprint{runtime.NumGoroutine(), strings.Count(clients, "user=worker"), m.HeapAlloc}
}

var leakTasks = flag.Int("leak.tasks", 1_000_000/slow, "how many tasks are done while nothing may grow")

// A million tasks later a worker keeps what it kept after the first thousands.
func TestNothingGrowsWithTheTasksThatAreDone(t *testing.T) {
	b := newBench(t)
	b.do("ACL", "SETUSER", "worker", "on", ">password", "~*", "+@all")
	t.Setenv(contract.EnvBrokerUsername, "worker")
	t.Setenv(contract.EnvBrokerPassword, "password")
	const first, round, concurrency = 5_000, 10_000, 50 // a round is short, so that a slow machine does it in time
	r := b.start(func(context.Context, *worker.Task) error { return nil }, worker.WithConcurrency(concurrency))
	b.fill(first)
	b.awaitEmpty()
	before := b.footprint()
	for done := 0; done < *leakTasks; done += round {
		b.fill(min(round, *leakTasks-done))
		b.awaitEmpty()
	}
	after := b.footprint()
	const (
		growth      = 4 << 20 // bytes: buffers that have grown with the longest batch
		connections = 2       // one for commands, one to wait on, which is opened at the first wait
	)
	if after.goroutines > before.goroutines+concurrency || after.heap > before.heap+growth ||
		after.connections == 0 || after.connections > connections {
		t.Errorf("it kept %+v after %d tasks, and keeps %+v after %d", before, first, after, first+*leakTasks)
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
