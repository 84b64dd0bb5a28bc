package worker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/redislist"
)

// fill pushes n short payloads.
func (b *bench) fill(n int) {
	b.Helper()
	const batch = 1000
	for n > 0 {
		payloads := make([]string, min(n, batch))
		for i := range payloads {
			payloads[i] = fmt.Sprintf(`{"n":%d}`, n-i)
		}
		push := b.redis.B().Lpush().Key(queue).Element(payloads...).Build()
		if err := b.redis.Do(context.Background(), push).Error(); err != nil {
			b.Fatal(err)
		}
		n -= len(payloads)
	}
}

func (b *bench) awaitEmpty() {
	b.Helper()
	b.eventually("every task to be acknowledged", func() string {
		if n := b.waiting() + b.inHand(); n > 0 {
			return fmt.Sprintf("%d are not", n)
		}
		return ""
	})
}

// The SDK with a handler that does nothing, at several concurrencies. Its limit is BenchmarkRawCommands.
func BenchmarkEmptyHandler(b *testing.B) {
	for _, concurrency := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("concurrency=", concurrency), func(tb *testing.B) {
			b := newBench(tb)
			b.fill(tb.N)
			var done atomic.Int64
			all := make(chan struct{})
			handler := func(context.Context, *worker.Task) error {
				if done.Add(1) == int64(tb.N) {
					close(all)
				}
				return nil
			}
			tb.ResetTimer()
			r := b.start(handler, worker.WithConcurrency(concurrency))
			<-all
			b.awaitEmpty()
			tb.StopTimer()
			tb.ReportMetric(float64(tb.N)/tb.Elapsed().Seconds(), "tasks/s")
			r.cancel()
			r.left()
		})
	}
}

// The same moves by bare commands of the protocol: LMOVE and LREM, 256 to a pipeline.
func BenchmarkRawCommands(b *testing.B) {
	s := newBench(b)
	s.fill(b.N)
	processing := redislist.Processing(queue, pod)
	ctx := context.Background()
	b.ResetTimer()
	for left := b.N; left > 0; {
		n := min(left, 256)
		moves, removals := make(rueidis.Commands, n), make(rueidis.Commands, n)
		for i := range moves {
			moves[i] = s.redis.B().Lmove().Source(queue).Destination(processing).Right().Left().Build()
		}
		for i, reply := range s.redis.DoMulti(ctx, moves...) {
			task, err := reply.ToString()
			if err != nil {
				b.Fatal(err)
			}
			removals[i] = s.redis.B().Lrem().Key(processing).Count(-1).Element(task).Build()
		}
		for _, reply := range s.redis.DoMulti(ctx, removals...) {
			if err := reply.Error(); err != nil {
				b.Fatal(err)
			}
		}
		left -= n
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

// From a push to an idle worker until its handler begins. Its limit is a PING over the same kind of
// connection.
func BenchmarkPushToHandler(b *testing.B) {
	s := newBench(b)
	begun := make(chan time.Time, 1)
	r := s.start(func(context.Context, *worker.Task) error { begun <- time.Now(); return nil })
	var took, limits []time.Duration
	for b.Loop() {
		from := time.Now()
		s.do("LPUSH", queue, "task")
		took = append(took, (<-begun).Sub(from))
		s.awaitEmpty()
		from = time.Now()
		s.do("PING")
		limits = append(limits, time.Since(from))
	}
	r.cancel()
	r.left()
	slices.Sort(took)
	slices.Sort(limits)
	microseconds := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	b.ReportMetric(microseconds(took[len(took)/2]), "p50-µs")
	b.ReportMetric(microseconds(took[len(took)*99/100]), "p99-µs")
	b.ReportMetric(microseconds(limits[len(limits)/2]), "ping-p50-µs")
}

// What a worker costs that has nothing to do: processor time of its process, and commands.
func BenchmarkIdle(b *testing.B) {
	s := newBench(b)
	r := s.start(func(context.Context, *worker.Task) error { return nil }, worker.WithConcurrency(100))
	<-time.After(time.Second) // it has looked at everything once
	const calm = 5 * time.Second
	var spent, calls float64
	var watched time.Duration
	for b.Loop() {
		cpu, commands, began := s.spent(), s.commands(), time.Now()
		<-time.After(calm)
		watched += time.Since(began)
		spent += (s.spent() - cpu).Seconds()
		calls += float64(s.commands() - commands - 1) // the question
	}
	r.cancel()
	r.left()
	b.ReportMetric(1000*spent/watched.Seconds(), "processor-ms/s")
	b.ReportMetric(calls/watched.Seconds(), "commands/s")
}

// spent is the processor time of this process.
func (b *bench) spent() time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// commands is how many commands Redis has been asked.
func (b *bench) commands() (n int64) {
	b.Helper()
	text, err := b.do("INFO", "stats").ToString()
	if err != nil {
		b.Fatal(err)
	}
	_, text, _ = strings.Cut(text, "total_commands_processed:")
	if _, err := fmt.Sscan(text, &n); err != nil {
		b.Fatal(err)
	}
	return n
}
