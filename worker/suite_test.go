package worker_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/redislist"
)

const (
	queue = "task-queue"
	pod   = "mail-0"
	// longestWait bounds every wait; only a failing test uses it up.
	longestWait = time.Minute
)

// bench is a Redis, and a pod's environment.
type bench struct {
	testing.TB
	server *redistest.Server
	redis  rueidis.Client
	drain  string
}

func newBench(t testing.TB, args ...string) *bench {
	t.Helper()
	server := redistest.Start(t, args...)
	b := &bench{TB: t, server: server, redis: server.Client(), drain: filepath.Join(t.TempDir(), "drain")}
	b.environment(server.Addr())
	return b
}

func (b *bench) environment(addr string) {
	b.Helper()
	for name, value := range map[string]string{
		contract.EnvQueue: queue, contract.EnvPodName: pod, contract.EnvBroker: "redis",
		contract.EnvBrokerAddress: addr, contract.EnvDrainFile: b.drain,
	} {
		b.Setenv(name, value)
	}
}

// do sends a command to Redis.
func (b *bench) do(args ...string) rueidis.RedisResult {
	b.Helper()
	reply := b.redis.Do(context.Background(), b.redis.B().Arbitrary(args...).Build())
	if err := reply.Error(); err != nil && !rueidis.IsRedisNil(err) {
		b.Fatalf("%v: %v", args, err)
	}
	return reply
}

func (b *bench) number(args ...string) int64 {
	b.Helper()
	n, err := b.do(args...).AsInt64()
	if err != nil {
		b.Fatalf("%v: %v", args, err)
	}
	return n
}

func (b *bench) waiting() int64 { b.Helper(); return b.number("LLEN", queue) }
func (b *bench) inHand() int64 {
	b.Helper()
	return b.number("LLEN", redislist.Processing(queue, pod))
}
func (b *bench) delayed() int64 { b.Helper(); return b.number("ZCARD", redislist.Delayed(queue)) }
func (b *bench) dead() int64    { b.Helper(); return b.number("LLEN", redislist.Dead(queue)) }

// running is a worker that runs.
type running struct {
	*bench
	cancel context.CancelFunc
	ended  chan error
}

func quiet() worker.Option { return worker.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))) }

// start runs a worker, until the test's end at the latest.
func (b *bench) start(handler worker.Handler, opts ...worker.Option) *running {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{bench: b, cancel: cancel, ended: make(chan error, 1)}
	opts = append([]worker.Option{quiet()}, opts...)
	go func() { r.ended <- worker.Run(ctx, handler, opts...) }()
	b.Cleanup(cancel)
	return r
}

// grant writes the drain file, as the kubelet would.
func (b *bench) grant(reason string) {
	b.Helper()
	if err := os.WriteFile(b.drain, []byte(reason), 0o600); err != nil {
		b.Fatal(err)
	}
}

// left waits for the worker's end, which must be a good one.
func (r *running) left() {
	r.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			r.Errorf("the worker ended with: %v", err)
		}
	case <-time.After(longestWait):
		r.Fatal("the worker does not leave")
	}
}

// eventually waits until check has nothing to complain of.
func (b *bench) eventually(what string, check func() (complaint string)) {
	b.Helper()
	deadline := time.Now().Add(longestWait)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s: %s", what, complaint)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// receive waits for a value.
func receive[T any](b *bench, from <-chan T, what string) T {
	b.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(longestWait):
		b.Fatalf("no %s within %s", what, longestWait)
		panic("unreachable")
	}
}
