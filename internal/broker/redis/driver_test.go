package redis

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// bell records what was rung.
type bell struct{ rung chan []string }

func newBell() *bell { return &bell{rung: make(chan []string, 1000)} }

func (b *bell) ring(queues ...string) {
	select {
	case b.rung <- queues:
	default:
	}
}

func (b *bell) await(t *testing.T, what string) []string {
	t.Helper()
	select {
	case queues := <-b.rung:
		return queues
	case <-time.After(10 * time.Second):
		t.Fatalf("no ring after %s", what)
		return nil
	}
}

func open(t *testing.T, e Config, ring broker.Doorbell) broker.Driver {
	t.Helper()
	d, err := Open(t.Context(), e, ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// plainClient is a producer, a worker, or a person with redis-cli.
func plainClient(t *testing.T, address string) func(args ...string) rueidis.RedisResult {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return func(args ...string) rueidis.RedisResult {
		r := c.Do(context.Background(), c.B().Arbitrary(args...).Build())
		if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
			t.Errorf("%v: %v", args, err)
		}
		return r
	}
}

// workers are those of these pods.
func workers(pods ...string) []broker.Worker {
	workers := make([]broker.Worker, len(pods))
	for i, pod := range pods {
		workers[i].PodName = pod
	}
	return workers
}

func depths(t *testing.T, d broker.Driver, queries ...broker.Query) []broker.Answer {
	t.Helper()
	answers, err := d.Depths(t.Context(), queries)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestDepths(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("RPUSH", "a", "1", "2", "3")
	do("RPUSH", redislist.Processing("a", "p1"), "4")
	do("RPUSH", redislist.Processing("a", "p3"), "5", "6")
	do("SET", "text", "x")
	d := open(t, Config{Address: server.Addr()}, newBell().ring)

	answers := depths(t, d,
		broker.Query{Queue: "a", Workers: workers("p1", "p2", "p3")},
		broker.Query{Queue: "text"},
		broker.Query{Queue: "text", Workers: workers("p1")},
		broker.Query{Queue: "empty"},
	)
	want := broker.Depth{Waiting: broker.CountOf(3), InFlight: broker.CountOf(3), Held: map[string]int64{"p1": 1, "p2": 0, "p3": 2}}
	if diff := cmp.Diff(want, answers[0].Depth); diff != "" {
		t.Errorf("queue a (-want +got):\n%s", diff)
	}
	for i := 1; i <= 2; i++ {
		if got := broker.ReasonOf(answers[i].Err); got != broker.ReasonWrongType {
			t.Errorf("a key that is no list: %v (%s), want WrongType, and only for this queue", answers[i].Err, got)
		}
	}
	if answers[3].Err != nil || answers[3].Depth.Waiting.N != 0 {
		t.Errorf("an empty queue: %+v, want 0", answers[3])
	}
}

// Tasks that are due wait, though nobody has moved them to the queue: there may be no worker to do it. Those that
// are not due ask for nobody.
func TestTasksThatAreDueWait(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	b := newBell()
	d := open(t, Config{Address: server.Addr()}, b.ring)
	for _, q := range []broker.Query{{Queue: "q"}, {Queue: "q", Workers: workers("p1")}} {
		do("DEL", redislist.Delayed("q"))
		if a := depths(t, d, q)[0]; a.Err != nil || a.Depth.Waiting.N != 0 {
			t.Errorf("%+v, want 0 waiting", a)
		}
		hour := time.Hour.Milliseconds()
		now := time.Now().UnixMilli()
		do("ZADD", redislist.Delayed("q"), fmt.Sprint(now-hour), "due", fmt.Sprint(now+hour), "not due")
		for rung := false; !rung; {
			rung = slices.Contains(b.await(t, "a task was delayed"), "q")
		}
		if a := depths(t, d, q)[0]; a.Err != nil || a.Depth.Waiting.N != 1 {
			t.Errorf("%+v, want 1 waiting", a)
		}
	}
}

// A task that moves while it is read must be counted at least once, whichever way it goes.
func TestDepthsNeverMissATaskInMotion(t *testing.T) {
	server := redisservertest.Start(t, "--appendfsync", "no")
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring)
	do("LPUSH", "q", "the task")
	processing := redislist.Processing("q", "p1")

	stop := make(chan struct{})
	var mover sync.WaitGroup
	mover.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				do("LMOVE", "q", processing, "RIGHT", "LEFT")
				do("LMOVE", processing, "q", "LEFT", "RIGHT")
			}
		}
	})
	for i := range 5000 {
		a := depths(t, d, broker.Query{Queue: "q", Workers: workers("p0", "p1", "p2")})[0]
		if n := a.Depth.Waiting.N + a.Depth.InFlight.N; n != 1 {
			t.Errorf("read %d: %d waiting, %d in flight; there is 1 task", i, a.Depth.Waiting.N, a.Depth.InFlight.N)
			break
		}
	}
	close(stop)
	mover.Wait()
}

func TestDoorbell(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	b := newBell()
	d := open(t, Config{Address: server.Addr()}, b.ring)
	if ok, why := d.(broker.Pusher).Pushes(); !ok {
		t.Fatalf("Pushes = false, %s", why)
	}
	q := broker.Query{Queue: "q", Workers: workers("p1")}
	depths(t, d, q)
	do("LPUSH", "q", "1")
	if diff := cmp.Diff([]string{"q"}, b.await(t, "a push")); diff != "" {
		t.Errorf("rung for (-want +got):\n%s", diff)
	}
	do("LPUSH", "q", "2") // one push for one read, however many writes
	depths(t, d, q)
	do("LMOVE", "q", redislist.Processing("q", "p1"), "RIGHT", "LEFT")
	rung := map[string]bool{}
	for len(rung) == 0 || !rung["q"] {
		for _, queue := range b.await(t, "a worker took a task") {
			rung[queue] = true
		}
	}
	t.Run("a broken connection rings for all", func(t *testing.T) {
		depths(t, d, q)
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		for len(b.await(t, "the restart")) > 0 {
		}
	})
	t.Run("after which pushes come again", func(t *testing.T) {
		deadline := time.Now().Add(10 * time.Second)
		for {
			if _, err := d.Depths(t.Context(), []broker.Query{q}); err == nil {
				break
			} else if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		for len(b.rung) > 0 {
			<-b.rung
		}
		plainClient(t, server.Addr())("LPUSH", "q", "3")
		if got := b.await(t, "a push after the restart"); len(got) == 0 || got[0] != "q" {
			t.Errorf("rung for %v, want q", got)
		}
	})
}

func TestTrackingRefused(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("ACL", "SETUSER", "plain", "on", ">pw", "~*", "+@all", "-client|tracking")
	d := open(t, Config{Address: server.Addr(), Username: "plain", Password: broker.NewSecret("pw")}, newBell().ring)
	if ok, why := d.(broker.Pusher).Pushes(); ok || why == "" {
		t.Errorf("Pushes = %t, %q; want false and why", ok, why)
	}
	do("LPUSH", "q", "1")
	if a := depths(t, d, broker.Query{Queue: "q"})[0]; a.Depth.Waiting.N != 1 {
		t.Errorf("%+v waiting, want 1: it can be polled", a.Depth.Waiting)
	}
}

// BenchmarkDepths reads 1000 queues; its limit is the same LLENs, pipelined by the bare client.
func BenchmarkDepths(b *testing.B) {
	server := redisservertest.Start(b)
	connected, err := Open(b.Context(), Config{Address: server.Addr()}, newBell().ring)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(connected.Close)
	queries := make([]broker.Query, 1000)
	for i := range queries {
		queries[i].Queue = fmt.Sprintf("queue-%d", i)
	}
	b.Run("driver", func(b *testing.B) {
		for b.Loop() {
			if _, err := connected.Depths(b.Context(), queries); err != nil {
				b.Fatal(err)
			}
		}
	})
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr()}, ForceSingleClient: true, PipelineMultiplex: -1, AlwaysPipelining: true, DisableCache: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	b.Run("limit", func(b *testing.B) {
		for b.Loop() {
			commands := make(rueidis.Commands, len(queries))
			for i, q := range queries {
				commands[i] = client.B().Llen().Key(q.Queue).Build()
			}
			for _, r := range client.DoMulti(b.Context(), commands...) {
				if r.Error() != nil {
					b.Fatal(r.Error())
				}
			}
		}
	})
}
