package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/redislist"
)

func TestTasksAreDoneAndAcknowledged(t *testing.T) {
	b := newBench(t)
	for i := range 100 {
		b.do("LPUSH", queue, fmt.Sprint("task-", i))
	}
	var mu sync.Mutex
	var done []string
	r := b.start(func(_ context.Context, t *worker.Task) error {
		mu.Lock()
		defer mu.Unlock()
		done = append(done, string(t.Payload))
		return nil
	})
	b.eventually("every task to be acknowledged", func() string {
		if n := b.waiting() + b.inHand(); n > 0 {
			return fmt.Sprintf("%d are not", n)
		}
		return ""
	})
	b.grant("ScaleDown")
	r.left()
	for i, payload := range done {
		if want := fmt.Sprint("task-", i); payload != want {
			t.Fatalf("task %d is %q, want %q: the oldest is to be first", i, payload, want)
		}
	}
	if len(done) != 100 {
		t.Errorf("%d tasks were done, want 100", len(done))
	}
}

// Equal payloads are separate tasks, each with an identifier of its own.
func TestEqualPayloadsAreSeparateTasks(t *testing.T) {
	b := newBench(t)
	for range 10 {
		b.do("LPUSH", queue, "same")
	}
	ids := make(chan string, 100)
	r := b.start(func(_ context.Context, t *worker.Task) error { ids <- t.ID; return nil }, worker.WithConcurrency(5))
	seen := map[string]bool{}
	for range 10 {
		seen[receive(b, ids, "task")] = true
	}
	r.cancel()
	r.left()
	if len(seen) != 10 || b.waiting()+b.inHand() > 0 {
		t.Errorf("%d identifiers for 10 tasks, %d not acknowledged", len(seen), b.waiting()+b.inHand())
	}
}

// Being told to leave stops the intake and cuts nothing.
func TestLeavingFinishesWhatIsInHand(t *testing.T) {
	for name, tell := range map[string]func(*bench, *running){
		"the drain file":    func(b *bench, _ *running) { b.grant("Rollout") },
		"the context's end": func(_ *bench, r *running) { r.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.do("LPUSH", queue, "first", "second")
			begun, finish := make(chan *worker.Task, 2), make(chan struct{})
			cut := make(chan error, 2)
			r := b.start(func(ctx context.Context, t *worker.Task) error {
				begun <- t
				<-worker.Draining(ctx)
				<-finish
				cut <- ctx.Err()
				return nil
			})
			receive(b, begun, "task")
			tell(b, r)
			close(finish)
			if err := receive(b, cut, "end of the task"); err != nil {
				t.Errorf("the task's context was cancelled: %v", err)
			}
			r.left()
			if b.waiting() != 1 || b.inHand() != 0 {
				t.Errorf("%d wait and %d are in hand, want 1 and 0", b.waiting(), b.inHand())
			}
		})
	}
}

// A grant that is taken back while a task goes on has the worker stay.
func TestAGrantThatIsTakenBack(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "first", "second")
	begun, finish := make(chan string, 2), make(chan struct{}, 2)
	r := b.start(func(ctx context.Context, t *worker.Task) error {
		begun <- string(t.Payload)
		if string(t.Payload) == "first" {
			<-worker.Draining(ctx)
		}
		<-finish
		return nil
	})
	receive(b, begun, "task")
	b.grant("ScaleDown")
	<-time.After(600 * time.Millisecond)
	b.grant("")
	<-time.After(600 * time.Millisecond)
	finish <- struct{}{}
	if second := receive(b, begun, "second task"); second != "second" {
		t.Errorf("the next task is %q", second)
	}
	finish <- struct{}{}
	r.cancel()
	r.left()
}

// A worker that has a grant from the start takes nothing.
func TestAWorkerWithAGrantTakesNothing(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "task")
	b.grant("Delete")
	b.start(func(context.Context, *worker.Task) error { t.Error("it took a task"); return nil }).left()
	if b.waiting() != 1 {
		t.Errorf("%d tasks wait, want 1", b.waiting())
	}
}

func TestWhatBecomesOfFailures(t *testing.T) {
	broken := errors.New("the printer is on fire")
	soon := worker.WithBackoff(func(int) time.Duration { return 10 * time.Millisecond })
	cases := map[string]struct {
		err      error
		opts     []worker.Option
		attempts int32
		dead     bool
	}{
		"an error is tried again, and then a dead letter": {broken, []worker.Option{worker.WithRetries(3), soon}, 4, true},
		"no retries":                        {broken, []worker.Option{worker.WithRetries(0)}, 1, true},
		"a permanent error is dead at once": {worker.Permanent(broken), nil, 1, true},
		"a pause of the handler's choice": {worker.RetryAfter(broken, time.Millisecond), []worker.Option{
			worker.WithRetries(2), worker.WithBackoff(func(int) time.Duration { return time.Hour }),
		}, 3, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.do("LPUSH", queue, "task")
			var attempts atomic.Int32
			r := b.start(func(context.Context, *worker.Task) error { attempts.Add(1); return c.err }, c.opts...)
			b.eventually("the dead letter", func() string {
				if b.dead() != 1 {
					return "there is none"
				}
				return ""
			})
			r.cancel()
			r.left()
			letters, err := worker.NewClient(b.redis).DeadLetters(t.Context(), queue, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			d := letters[0]
			if attempts.Load() != c.attempts || d.Attempts != int(c.attempts) || d.Error != broken.Error() || string(d.Payload) != "task" {
				t.Errorf("after %d attempts, want %d, the letter is %+v", attempts.Load(), c.attempts, d)
			}
			if d.Died.Before(d.First) || d.First.IsZero() {
				t.Errorf("first %s, died %s", d.First, d.Died)
			}
			if n := b.waiting() + b.inHand() + b.delayed(); n > 0 {
				t.Errorf("%d tasks are left beside the dead letter", n)
			}
		})
	}
}

// A failing task blocks no other.
func TestAFailingTaskBlocksNoOther(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "bad", "good")
	done := make(chan string, 10)
	r := b.start(func(_ context.Context, t *worker.Task) error {
		if string(t.Payload) == "bad" {
			return errors.New("bad")
		}
		done <- string(t.Payload)
		return nil
	}, worker.WithBackoff(func(int) time.Duration { return time.Hour }))
	receive(b, done, "good task")
	r.cancel()
	r.left()
	if b.delayed() != 1 {
		t.Errorf("%d tasks wait for their next attempt, want 1", b.delayed())
	}
}

func TestAPanicEndsTheTaskAndNotTheWorker(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "bad")
	var seen atomic.Pointer[worker.PanicError]
	r := b.start(func(context.Context, *worker.Task) error { panic("boom") }, worker.WithRetries(0),
		worker.WithMiddleware(func(next worker.Handler) worker.Handler {
			return func(ctx context.Context, t *worker.Task) error {
				err := next(ctx, t)
				var panicked *worker.PanicError
				if errors.As(err, &panicked) {
					seen.Store(panicked)
				}
				return err
			}
		}))
	b.eventually("the dead letter", func() string {
		if b.dead() != 1 {
			return "there is none"
		}
		return ""
	})
	r.cancel()
	r.left()
	if p := seen.Load(); p == nil || p.Value != "boom" || !strings.Contains(string(p.Stack), "worker_test.go") {
		t.Errorf("the middleware saw %+v", p)
	}
}

// A handler hands its task back at a checkpoint; another worker takes it next, and no attempt is counted.
func TestHandingBack(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "long", "next")
	begun := make(chan *worker.Task, 2)
	r := b.start(func(ctx context.Context, t *worker.Task) error {
		begun <- t
		<-worker.Draining(ctx)
		return worker.ErrHandBack
	})
	receive(b, begun, "task")
	b.grant("NodeDrain")
	r.left()
	b.grant("")
	again := make(chan *worker.Task, 2)
	r = b.start(func(_ context.Context, t *worker.Task) error { again <- t; return nil })
	task := receive(b, again, "task")
	if string(task.Payload) != "long" || task.Attempt != 1 {
		t.Errorf("the next task is %q, attempt %d; want long, attempt 1", task.Payload, task.Attempt)
	}
	r.cancel()
	r.left()
}

// A task whose reservation was given to another is told to stop.
func TestALostReservationIsTold(t *testing.T) {
	for name, leaves := range map[string]bool{"by a worker that stays": false, "by a worker that leaves": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.do("LPUSH", queue, "task")
			begun, causes := make(chan struct{}, 1), make(chan error, 1)
			r := b.start(func(ctx context.Context, _ *worker.Task) error {
				if leaves {
					b.grant("ScaleDown")
					<-worker.Draining(ctx)
				}
				begun <- struct{}{}
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return ctx.Err()
			})
			receive(b, begun, "task")
			b.do("DEL", redislist.Processing(queue, pod)) // as the operator does when it takes the pod for dead
			if cause := receive(b, causes, "cancellation"); !errors.Is(cause, worker.ErrNotHeld) {
				t.Errorf("the cause is %v", cause)
			}
			r.cancel()
			r.left()
			if n := b.waiting() + b.delayed() + b.dead(); n > 0 {
				t.Errorf("%d tasks have come of one that was somebody else's", n)
			}
		})
	}
}

// What is left in the pod's list by a process that was killed is done first, as another attempt.
func TestWhatAKilledProcessLeft(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", redislist.Processing(queue, pod), "raw")
	left := redislist.Task{ID: "t-1", Failed: 2, Crashed: 1, Reservation: "x.1", Payload: "stamped", First: time.Now()}
	b.do("LPUSH", redislist.Processing(queue, pod), left.Element())
	b.do("LPUSH", queue, "new")
	done := make(chan *worker.Task, 10)
	r := b.start(func(_ context.Context, t *worker.Task) error { done <- t; return nil })
	want := []struct {
		payload string
		attempt int
	}{{"raw", 1}, {"stamped", 5}, {"new", 1}}
	for _, w := range want {
		if got := receive(b, done, "task"); string(got.Payload) != w.payload || got.Attempt != w.attempt {
			t.Errorf("the task is %q, attempt %d; want %q, attempt %d", got.Payload, got.Attempt, w.payload, w.attempt)
		}
	}
	r.cancel()
	r.left()
	if b.inHand() != 0 {
		t.Errorf("%d are in hand", b.inHand())
	}
}

// A task that kills its worker each time ends as a dead letter, without a timer.
func TestATaskThatKillsItsWorkers(t *testing.T) {
	b := newBench(t)
	left := redislist.Task{ID: "poison", Crashed: 3, Reservation: "x.1", Payload: "poison", First: time.Now()}
	b.do("LPUSH", redislist.Processing(queue, pod), left.Element())
	r := b.start(func(context.Context, *worker.Task) error { t.Error("it was tried once more"); return nil }, worker.WithRetries(3))
	b.eventually("the dead letter", func() string {
		if b.dead() != 1 {
			return "there is none"
		}
		return ""
	})
	r.cancel()
	r.left()
	letters, err := worker.NewClient(b.redis).DeadLetters(t.Context(), queue, 0, 1)
	if err != nil || letters[0].Attempts != 4 || !strings.Contains(letters[0].Error, "worker ended") {
		t.Errorf("the letters are %+v (%v), want one of 4 attempts", letters, err)
	}
}

func TestWhatIsWrongIsSaidAtOnce(t *testing.T) {
	fine := func(context.Context, *worker.Task) error { return nil }
	wrap := worker.WithMiddleware(func(next worker.Handler) worker.Handler {
		return func(ctx context.Context, t *worker.Task) error { return next(ctx, t) }
	})
	cases := map[string]struct {
		handler worker.Handler
		opt     worker.Option
		env     [2]string
		words   string
	}{
		"no handler":          {nil, worker.WithRetries(1), [2]string{}, "no handler"},
		"none in middleware":  {nil, wrap, [2]string{}, "no handler"},
		"no option":           {fine, nil, [2]string{}, "option is nil"},
		"no back-off":         {fine, worker.WithBackoff(nil), [2]string{}, "WithBackoff(nil)"},
		"no middleware":       {fine, worker.WithMiddleware(nil), [2]string{}, "WithMiddleware(nil)"},
		"no logger":           {fine, worker.WithLogger(nil), [2]string{}, "WithLogger(nil)"},
		"no observer":         {fine, worker.WithObserver(nil), [2]string{}, "WithObserver(nil)"},
		"middleware to nil":   {fine, worker.WithMiddleware(func(worker.Handler) worker.Handler { return nil }), [2]string{}, "no handler"},
		"too much at once":    {fine, worker.WithConcurrency(1001), [2]string{}, "1 to 1000"},
		"negative retries":    {fine, worker.WithRetries(-1), [2]string{}, "0 or more"},
		"a negative time-out": {fine, worker.WithTimeout(-1), [2]string{}, "0, which is none, or more"},
		"no queue":            {fine, worker.WithRetries(1), [2]string{"QSCALER_QUEUE", ""}, "QSCALER_QUEUE"},
		"another broker":      {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER", "kafka"}, "kafka"},
		"a database by name":  {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_DATABASE", "mail"}, "mail"},
		"no port":             {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_ADDRESS", "redis"}, "host:port"},
		"no host":             {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_ADDRESS", ":6379"}, "host:port"},
		"a port by name":      {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_ADDRESS", "redis:redis"}, "host:port"},
		"an address in haste": {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_ADDRESS", "::1:6379"}, "host:port"},
		"TLS, perhaps":        {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_TLS", "1"}, "true, false or empty"},
		"insecure, perhaps":   {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_TLS_INSECURE_SKIP_VERIFY", "True"}, "true, false or empty"},
		"a CA that is no PEM": {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_TLS_CA", "x"}, "PEM"},
		"a CA in no file":     {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_TLS_CA_FILE", "/none"}, "reading the file that QSCALER_BROKER_TLS_CA_FILE names"},
		"a CA file of no PEM": {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_TLS_CA_FILE", "worker_test.go"}, "worker_test.go has no PEM certificate"},
		"half a certificate":  {fine, worker.WithRetries(1), [2]string{"QSCALER_BROKER_TLS_KEY_FILE", "/none"}, "set both, or neither"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := &bench{TB: t, drain: t.TempDir() + "/drain"}
			b.environment("127.0.0.1:1")
			t.Setenv("QSCALER_BROKER_TLS", "true")
			if c.env[0] != "" {
				t.Setenv(c.env[0], c.env[1])
			}
			err := worker.Run(t.Context(), c.handler, c.opt)
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("the error is %v, want one with %q", err, c.words)
			}
		})
	}
}
