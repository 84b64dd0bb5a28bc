package redis

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// ledger bounds how many tasks there are at any moment: a step counts as begun before its command is sent,
// and as done once it was answered.
type ledger struct{ pushing, pushed, acknowledging, acknowledged atomic.Int64 }

func (l *ledger) most() int64  { return l.pushing.Load() - l.acknowledged.Load() }
func (l *ledger) least() int64 { return l.pushed.Load() - l.acknowledging.Load() }

// Producers push, workers take and acknowledge, workers die and are reclaimed, all at once: every read must
// find all the tasks that were there throughout, and none that was never there.
func TestDepthsAddUpInAnyMotion(t *testing.T) {
	server := redisservertest.Start(t, "--appendfsync", "no")
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring)
	claimed(t, d.(broker.Reclaimer))
	const pods, steps = 4, 1500
	var (
		books ledger
		group sync.WaitGroup
		busy  atomic.Int32
		names []string
	)
	for pod := range pods {
		name := fmt.Sprintf("p%d", pod)
		names = append(names, name)
		busy.Add(1)
		group.Go(func() {
			defer busy.Add(-1)
			random := rand.New(rand.NewSource(int64(pod)))
			for step := range steps {
				live(do, d.(broker.Reclaimer), &books, name, fmt.Sprintf("%s-%d", name, step), random.Intn(4))
			}
		})
	}
	reads, seen := 0, false
	for busy.Load() > 0 {
		// What was acknowledged before the read began is not to be seen, what is not acknowledged when it has
		// ended is; pushes the other way round.
		acknowledged, pushed := books.acknowledged.Load(), books.pushed.Load()
		depth := depths(t, d, broker.Query{Queue: "q", Workers: workers(names...)})[0].Depth
		least := pushed - books.acknowledging.Load()
		most := books.pushing.Load() - acknowledged
		if n := depth.Waiting.N + depth.InFlight.N; n < least || n > most {
			t.Fatalf("read %d found %d waiting and %d in flight; there were %d to %d tasks", reads, depth.Waiting.N, depth.InFlight.N, least, most)
		}
		seen = seen || depth.InFlight.N > 0
		reads++
	}
	group.Wait()
	if reads < 100 || !seen {
		t.Errorf("%d reads, in flight seen = %t: the test has tested little", reads, seen)
	}
	depth := depths(t, d, broker.Query{Queue: "q", Workers: workers(names...)})[0].Depth
	if n := depth.Waiting.N + depth.InFlight.N; books.least() != books.most() || n != books.most() {
		t.Errorf("in the end %d are there, want %d", n, books.most())
	}
}

// live is one step in the life of a worker, and of a producer beside it.
func live(do doer, reclaimer broker.Reclaimer, books *ledger, pod, task string, what int) {
	processing := redislist.Processing("q", pod)
	switch what {
	case 0, 1:
		books.pushing.Add(1)
		do("LPUSH", "q", task)
		books.pushed.Add(1)
	case 2:
		taken, err := do("LMOVE", "q", processing, "RIGHT", "LEFT").ToString()
		if err != nil {
			return // the queue is empty
		}
		books.acknowledging.Add(1)
		do("LREM", processing, "1", taken)
		books.acknowledged.Add(1)
	case 3:
		do("LMOVE", "q", processing, "RIGHT", "LEFT")
		_, _ = reclaimer.Reclaim(context.Background(), claim, "q", pod)
	}
}
