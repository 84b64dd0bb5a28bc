package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/redislist"
)

// catch starts a worker that hands every task on.
func (b *bench) catch(opts ...worker.Option) (r *running, caught <-chan *worker.Task) {
	b.Helper()
	tasks := make(chan *worker.Task, 100)
	return b.start(func(_ context.Context, t *worker.Task) error { tasks <- t; return nil }, opts...), tasks
}

func TestEnqueue(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	payload := "qscaler:1:x:0:0:0::0:\x00 not an envelope of ours"
	id, err := c.Enqueue(t.Context(), queue, []byte(payload), worker.WithID("mail-7"), worker.WithHeader("trace", "abc:def"))
	if err != nil || id != "mail-7" {
		t.Fatalf("the identifier is %q (%v)", id, err)
	}
	r, tasks := b.catch()
	got := receive(b, tasks, "task")
	if got.ID != "mail-7" || string(got.Payload) != payload || got.Headers["trace"] != "abc:def" || got.Attempt != 1 {
		t.Errorf("the task is %+v", got)
	}
	if age := time.Since(got.First); age < 0 || age > longestWait {
		t.Errorf("it was enqueued at %s", got.First)
	}
	r.cancel()
	r.left()
}

// Two tasks alike, of which even the identifiers are, are two tasks.
func TestEnqueueTwice(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	for _, delay := range []time.Duration{0, 0, time.Millisecond, time.Millisecond} {
		if _, err := c.Enqueue(t.Context(), queue, []byte("same"), worker.WithID("same"), worker.WithDelay(delay)); err != nil {
			t.Fatal(err)
		}
	}
	r, tasks := b.catch(worker.WithConcurrency(4))
	for range 4 {
		receive(b, tasks, "task")
	}
	b.awaitEmpty()
	r.cancel()
	r.left()
}

func TestADelayedTaskWaits(t *testing.T) {
	b := newBench(t)
	const delay = 300 * time.Millisecond
	began := time.Now()
	if _, err := worker.NewClient(b.redis).Enqueue(t.Context(), queue, []byte("later"), worker.WithDelay(delay)); err != nil {
		t.Fatal(err)
	}
	if b.waiting() != 0 || b.delayed() != 1 {
		t.Errorf("%d wait and %d are delayed, want 0 and 1", b.waiting(), b.delayed())
	}
	r, tasks := b.catch()
	receive(b, tasks, "task")
	if took := time.Since(began); took < delay {
		t.Errorf("it was done after %s", took)
	}
	r.cancel()
	r.left()
}

func TestUniqueTasks(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	enqueue := func() error {
		_, err := c.Enqueue(t.Context(), queue, []byte("report"), worker.WithUnique("daily", time.Hour))
		return err
	}
	if err := enqueue(); err != nil {
		t.Fatal(err)
	}
	if err := enqueue(); !errors.Is(err, worker.ErrDuplicate) || !strings.Contains(err.Error(), "daily") {
		t.Errorf("the second is answered with: %v", err)
	}
	fail := make(chan error, 10)
	r := b.start(func(_ context.Context, t *worker.Task) error {
		if len(t.Headers) > 0 {
			return errors.New("the SDK's own header is shown")
		}
		return <-fail
	}, worker.WithBackoff(func(int) time.Duration { return time.Millisecond }))
	fail <- errors.New("not yet")
	if err := enqueue(); !errors.Is(err, worker.ErrDuplicate) {
		t.Errorf("while it is tried again: %v", err)
	}
	fail <- nil
	b.eventually("the key to be free", func() string {
		if err := enqueue(); err != nil {
			return err.Error()
		}
		return ""
	})
	fail <- worker.Permanent(errors.New("never"))
	b.eventually("the key to be free after a dead letter", func() string {
		if err := enqueue(); err != nil {
			return err.Error()
		}
		return ""
	})
	fail <- nil
	b.awaitEmpty()
	r.cancel()
	r.left()
}

// A client of the environment is for the broker that the worker beside it is for.
func TestAClientIsForRedis(t *testing.T) {
	b := newBench(t)
	t.Setenv("QSCALER_BROKER", "kafka")
	if c, err := worker.ClientFromEnvironment(); err == nil || !strings.Contains(err.Error(), "kafka") {
		t.Errorf("the error is %v, want one with kafka", err)
		if c != nil {
			c.Close()
		}
	}
	t.Setenv("QSCALER_BROKER", "redis")
	c, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Enqueue(t.Context(), queue, nil); err != nil || b.waiting() != 1 {
		t.Errorf("enqueuing says %v, and %d wait", err, b.waiting())
	}
}

// The greatest numbers there are mean for ever, and all of them.
// A task whose uniqueness has expired does not end that of the next one, though both have the same identifier.
func TestAnExpiredUniquenessIsNotTheNextOnes(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	enqueue := func() error {
		_, err := c.Enqueue(t.Context(), queue, nil, worker.WithID("invoice-17"), worker.WithUnique("invoice-17", time.Hour))
		return err
	}
	begun, finish := make(chan struct{}, 2), make(chan struct{})
	r := b.start(func(context.Context, *worker.Task) error {
		begun <- struct{}{}
		<-finish
		return nil
	})
	if err := enqueue(); err != nil {
		t.Fatal(err)
	}
	receive(b, begun, "task")
	b.do("DEL", redislist.Unique(queue, "invoice-17")) // as when it expires
	if err := enqueue(); err != nil {
		t.Fatal(err)
	}
	finish <- struct{}{}
	receive(b, begun, "second task") // the first is acknowledged, or about to be
	b.eventually("the acknowledgement", func() string {
		if n := b.inHand(); n != 1 {
			return "it has not come"
		}
		return ""
	})
	if err := enqueue(); !errors.Is(err, worker.ErrDuplicate) {
		t.Errorf("while the second is under way, enqueuing a third says %v", err)
	}
	finish <- struct{}{}
	b.awaitEmpty()
	if err := enqueue(); err != nil {
		t.Errorf("when it is done, enqueuing says %v", err)
	}
	receive(b, begun, "last task")
	finish <- struct{}{}
	r.cancel()
	r.left()
}

// The uniqueness of a task that waits for its time begins when it is due: none that waits lets a second one in.
func TestAUniquenessOutlastsTheDelay(t *testing.T) {
	for name, test := range map[string]struct {
		delay, least, most time.Duration
	}{
		"with a delay":         {delay: time.Hour, least: time.Hour + 50*time.Minute, most: 2 * time.Hour},
		"with none":            {least: 50 * time.Minute, most: time.Hour},
		"with one in the past": {delay: -time.Hour, least: 50 * time.Minute, most: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			opts := []worker.EnqueueOption{worker.WithUnique("report", time.Hour), worker.WithDelay(test.delay)}
			if _, err := worker.NewClient(b.redis).Enqueue(t.Context(), queue, []byte("a"), opts...); err != nil {
				t.Fatal(err)
			}
			if left := time.Duration(b.number("PTTL", redislist.Unique(queue, "report"))) * time.Millisecond; left < test.least || left > test.most {
				t.Errorf("the key stands for %s, want %s to %s", left, test.least, test.most)
			}
		})
	}
}

func TestTheGreatestNumbers(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	for _, want := range []error{nil, worker.ErrDuplicate} {
		_, err := c.Enqueue(t.Context(), queue, nil, worker.WithUnique("key", math.MaxInt64), worker.WithDelay(math.MaxInt64))
		if !errors.Is(err, want) {
			t.Errorf("enqueuing says %v, want %v", err, want)
		}
	}
	if b.delayed() != 1 || b.waiting() != 0 {
		t.Errorf("%d are delayed and %d wait, want 1 and 0", b.delayed(), b.waiting())
	}
	b.do("LPUSH", redislist.Dead(queue), "first", "second", "third")
	letters, err := c.DeadLetters(t.Context(), queue, 1, math.MaxInt64)
	if err != nil || len(letters) != 2 {
		t.Errorf("of 3 dead letters %d come after the first (%v), want 2", len(letters), err)
	}
	if letters, err := c.DeadLetters(t.Context(), queue, math.MaxInt64, math.MaxInt64); err != nil || len(letters) != 0 {
		t.Errorf("after all of them come %d (%v)", len(letters), err)
	}
}

func TestEnqueueRefuses(t *testing.T) {
	c := worker.NewClient(nil) // nothing is sent
	cases := map[string]struct {
		queue string
		opt   worker.EnqueueOption
		words string
	}{
		"no queue":              {"", worker.WithDelay(0), "queue's name"},
		"an identifier":         {"q", worker.WithID("a b"), `"a b"`},
		"a long identifier":     {"q", worker.WithID(strings.Repeat("x", 129)), "1 to 128"},
		"a key that never ends": {"q", worker.WithUnique("k", 0), "more than 0"},
		"an empty key":          {"q", worker.WithUnique("", time.Hour), "must not be empty"},
		"no key and no time":    {"q", worker.WithUnique("", 0), "must not be empty"},
		"a header of bytes":     {"q", worker.WithHeader("k", "\xff"), "UTF-8"},
		"a key of bytes":        {"q", worker.WithUnique("\xff", time.Hour), "UTF-8"},
		"the SDK's header":      {"q", worker.WithHeader("qscaler-unique", "k"), "SDK's own"},
		"the SDK's other":       {"q", worker.WithHeader("qscaler-unique-owner", "k"), "SDK's own"},
		"long headers":          {"q", worker.WithHeader("k", strings.Repeat("v", 64<<10)), "65536 at most"},
		"a long key":            {"q", worker.WithUnique(strings.Repeat("k", 64<<10), time.Hour), "65536 at most"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := c.Enqueue(t.Context(), tc.queue, nil, tc.opt); err == nil || !strings.Contains(err.Error(), tc.words) {
				t.Errorf("the error is %v, want one with %q", err, tc.words)
			}
		})
	}
}

func TestDeadLettersAreReplayedAndDropped(t *testing.T) {
	b := newBench(t)
	c := worker.NewClient(b.redis)
	payloads := []string{"text", "\xff\x00 no text", ""}
	for _, payload := range payloads {
		if _, err := c.Enqueue(t.Context(), queue, []byte(payload), worker.WithHeader("k", "v")); err != nil {
			t.Fatal(err)
		}
	}
	r := b.start(func(context.Context, *worker.Task) error { return worker.Permanent(errors.New("no")) })
	b.eventually("the dead letters", func() string {
		if b.dead() != int64(len(payloads)) {
			return "there are fewer"
		}
		return ""
	})
	r.cancel()
	r.left()

	letters, err := c.DeadLetters(t.Context(), queue, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range letters { // the youngest first
		if want := payloads[len(payloads)-1-i]; string(d.Payload) != want || d.Headers["k"] != "v" || d.Error != "no" || d.Attempts != 1 {
			t.Errorf("letter %d is %+v, want payload %q", i, d, want)
		}
	}
	if ok, err := c.Drop(t.Context(), queue, letters[0]); !ok || err != nil {
		t.Errorf("dropping says %t, %v", ok, err)
	}
	for _, want := range []bool{true, false} { // twice: the second time it is gone
		if ok, err := c.Replay(t.Context(), queue, letters[1]); ok != want || err != nil {
			t.Errorf("replaying says %t, %v; want %t", ok, err, want)
		}
	}
	if b.dead() != 1 || b.waiting() != 1 {
		t.Errorf("%d letters are left and %d tasks wait, want 1 and 1", b.dead(), b.waiting())
	}
	r, tasks := b.catch()
	if got := receive(b, tasks, "replayed task"); string(got.Payload) != payloads[1] || got.ID != letters[1].ID || got.Attempt != 1 {
		t.Errorf("the replayed task is %+v", got)
	}
	r.cancel()
	r.left()
	if _, err := c.DeadLetters(t.Context(), queue, 0, 0); err == nil {
		t.Error("a limit of 0 is accepted")
	}
}

// The rights that docs/redis-layout.md gives a worker are enough, for all that it does.
func TestTheLeastUser(t *testing.T) {
	page, err := os.ReadFile("../docs/redis-layout.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "A worker of the SDK needs these rights:")
	_, section, _ = strings.Cut(section, "redis-cli ")
	line, _, ok := strings.Cut(section, "```")
	if !ok {
		t.Fatal("docs/redis-layout.md has no such line any more")
	}
	rights := strings.Fields(strings.NewReplacer("\\\n", " ", "'", "").Replace(line))
	b := newBench(t)
	b.do(rights...)
	t.Setenv("QSCALER_BROKER_USERNAME", "worker")
	t.Setenv("QSCALER_BROKER_PASSWORD", "password")
	option := redistest.Option(b.server.Addr())
	option.Username, option.Password = "worker", "password"
	redis, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	c := worker.NewClient(redis)
	for payload, opt := range map[string]worker.EnqueueOption{
		"good": worker.WithUnique("k", time.Hour), "bad": worker.WithDelay(time.Millisecond),
	} {
		if _, err := c.Enqueue(t.Context(), queue, []byte(payload), opt); err != nil {
			t.Fatal(err)
		}
	}
	log := &strings.Builder{}
	r := b.start(func(_ context.Context, t *worker.Task) error {
		if string(t.Payload) == "bad" {
			return errors.New("bad")
		}
		return nil
	}, worker.WithRetries(1), worker.WithBackoff(func(int) time.Duration { return time.Millisecond }),
		worker.WithLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
	b.eventually("the dead letter", func() string {
		if b.dead() != 1 {
			return "there is none"
		}
		return ""
	})
	letters, err := c.DeadLetters(t.Context(), queue, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Drop(t.Context(), queue, letters[0]); !ok || err != nil {
		t.Errorf("dropping says %t, %v", ok, err)
	}
	r.cancel()
	r.left()
	if strings.Contains(log.String(), "NOPERM") {
		t.Errorf("the worker's log has:\n%s", log)
	}
	if n := b.waiting() + b.inHand() + b.delayed(); n > 0 {
		t.Errorf("%d tasks are left", n)
	}
}

// A task that Redis refuses leaves no uniqueness behind: it can be enqueued again.
func TestARefusedTaskIsNoDuplicate(t *testing.T) {
	b := newBench(t)
	b.do("ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-lpush")
	option := redistest.Option(b.server.Addr())
	option.Username, option.Password = "limited", "secret"
	limited, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	defer limited.Close()
	for range 2 {
		_, err := worker.NewClient(limited).Enqueue(t.Context(), queue, []byte("task"), worker.WithUnique("key", time.Hour))
		if err == nil || errors.Is(err, worker.ErrDuplicate) {
			t.Errorf("the error is %v, want that of Redis", err)
		}
	}
}
