package worker_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/redislist"
	"github.com/quickube/qscaler/worker/workermetrics"
	"github.com/quickube/qscaler/worker/workertest"
)

// The Go of docs/write-a-worker.md is that of this file and of the examples, to the letter: it compiles, and is tried.
func TestThePagesSnippetsAreTried(t *testing.T) {
	tried := read(t, "page_test.go") + read(t, "../examples/sdk_page_test.go")
	snippets := blocks(read(t, "../docs/write-a-worker.md"), "go")
	if len(snippets) == 0 {
		t.Fatal("the page has no Go")
	}
	for _, snippet := range snippets {
		if strings.HasPrefix(snippet, "package main") {
			continue // TestThePagesPrograms runs it
		}
		if !slices.ContainsFunc([]string{"", "\t", "\t\t"}, func(indent string) bool {
			return strings.Contains("\n"+tried, "\n"+indented(snippet, indent))
		}) {
			t.Errorf("no test has this snippet:\n%s", snippet)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// blocks has the code of a language on a page, block by block.
func blocks(page, language string) []string {
	parts := strings.Split(page, "\n```"+language+"\n")[1:]
	for i := range parts {
		parts[i], _, _ = strings.Cut(parts[i], "\n```")
	}
	return parts
}

func indented(code, by string) string {
	lines := strings.Split(code, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}

// The programs of the pages build, do a task, and leave with exit code 0 when they are told to.
func TestThePagesPrograms(t *testing.T) {
	programs := map[string]string{
		"docs/write-a-worker.md": blocks(read(t, "../docs/write-a-worker.md"), "go")[0],
		"README.md": `package main

import (
	"context"
	"log"

	"github.com/quickube/qscaler/worker"
)

type Mail struct{ To, Text string }

func send(context.Context, Mail) error { return nil }

` + blocks(read(t, "../README.md"), "go")[0],
	}
	for page, program := range programs {
		t.Run(page, func(t *testing.T) {
			b := newBench(t)
			source, binary := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "main")
			if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil { //nolint:gosec // the page's own program
				t.Fatalf("%v\n%s", err, out)
			}
			b.do("LPUSH", queue, `{"to":"o@example.com","text":"hello"}`)
			program := exec.CommandContext(t.Context(), binary) //nolint:gosec // see above
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			b.awaitEmpty()
			if err := program.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := program.Wait(); err != nil || b.dead() > 0 {
				t.Errorf("it ended with %v, and %d dead letters", err, b.dead())
			}
		})
	}
}

func TestThePageOnLeavingEarly(t *testing.T) {
	const steps = 100
	begun, next := make(chan int), make(chan struct{})
	do := func(step int) { begun <- step; <-next }
	saved := -1
	save := func(step int) { saved = step }
	b := workertest.New(t)
	w := b.Start(func(ctx context.Context, _ *worker.Task) error {
		for step := range steps {
			select {
			case <-worker.Draining(ctx):
				save(step)
				return worker.ErrHandBack
			default:
				do(step)
			}
		}
		return nil
	})
	b.Push("long")
	<-begun
	w.Grant("ScaleDown")
	next <- struct{}{}
	w.Wait()
	if saved != 1 || b.Waiting() != 1 {
		t.Errorf("step %d was saved: %s", saved, b)
	}
}

func TestThePageOnMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	defer func(before prometheus.Registerer) { prometheus.DefaultRegisterer = before }(prometheus.DefaultRegisterer)
	prometheus.DefaultRegisterer = registry
	b := workertest.New(t)
	w := b.Start(func(context.Context, *worker.Task) error { return nil },
		worker.WithObserver(workermetrics.New(prometheus.DefaultRegisterer, os.Getenv("QSCALER_QUEUE"))),
	)
	b.Push("task")
	b.AwaitDone(1)
	w.Grant("ScaleDown")
	w.Wait()
	metrics, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, "../docs/write-a-worker.md")
	for _, m := range metrics {
		if !strings.Contains(page, "\n| `"+m.GetName()+"` |") {
			t.Errorf("the page has no row on %s", m.GetName())
		}
	}
	if len(metrics) == 0 {
		t.Error("nothing was measured")
	}
}

// handle is the handler of TestReport.
func handle(_ context.Context, t *worker.Task) error {
	if t.Attempt == 1 {
		return errors.New("not yet")
	}
	return nil
}

func TestReport(t *testing.T) {
	b := workertest.New(t)
	w := b.Start(handle, worker.WithRetries(3))
	b.Push("report")
	b.AwaitDelayed(1)      // it has failed once
	b.Advance(time.Minute) // and is tried again
	b.AwaitDone(1)
	w.Grant("ScaleDown") // the drain file
	w.Wait()             // Run has returned nil
}

func TestThePageOnPushing(t *testing.T) {
	b := newBench(t)
	ctx, redis, payload := t.Context(), b.redis, []byte("invoice")
	client := worker.NewClient(redis) // a rueidis.Client
	id, err := client.Enqueue(ctx, "task-queue", payload,
		worker.WithID("invoice-17"), // default: random
		worker.WithHeader("tenant", "acme"),
		worker.WithDelay(10*time.Minute),           // not before
		worker.WithUnique("invoice-17", time.Hour), // ErrDuplicate while one is under way
	)
	if id != "invoice-17" || err != nil || b.delayed() != 1 || b.waiting() != 0 {
		t.Errorf("enqueued %q (%v): %d delayed, %d waiting", id, err, b.delayed(), b.waiting())
	}
}

//nolint:ineffassign,staticcheck // word for word as on the page
func TestThePageOnDeadLettersInGo(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", redislist.Dead(queue), `{"id":"t-1","payload":"dropped"}`, `{"id":"t-2","payload":"replayed"}`)
	ctx, client := t.Context(), worker.NewClient(b.redis)
	letters, err := client.DeadLetters(ctx, "task-queue", 0, 100) // the youngest 100
	ok, err := client.Replay(ctx, "task-queue", letters[0])       // try again, from the first attempt
	ok, err = client.Drop(ctx, "task-queue", letters[1])
	if !ok || err != nil || b.dead() != 0 || b.waiting() != 1 {
		t.Errorf("%t, %v: %d letters are left, %d tasks wait", ok, err, b.dead(), b.waiting())
	}
}

// The lines of docs/redis-layout.md do what it says.
func TestThePageOnTheLayout(t *testing.T) {
	lines := blocks(read(t, "../docs/redis-layout.md"), "sh")
	if len(lines) != 7 {
		t.Fatalf("the page has %d blocks of lines, want those to push, for the rights of two kinds of workers, to look, and three to repair", len(lines))
	}
	push, rights, look, handBack, takeOut, setAside := lines[0], lines[1], lines[3], lines[4], lines[5], lines[6]
	b := newBench(t)
	held := redislist.Processing(queue, pod)

	b.shell(push)
	b.shell(rights)
	option := redistest.Option(b.server.Addr())
	option.Username, option.Password = "worker", "password"
	plain, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Close)
	element, err := plain.Do(t.Context(), plain.B().Blmove().Source(queue).Destination(held).Right().Left().Timeout(1).Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []rueidis.Completed{
		plain.B().Llen().Key(queue).Build(), plain.B().Lindex().Key(held).Index(-1).Build(), plain.B().Lrem().Key(held).Count(1).Element(element).Build(),
	} {
		if err := plain.Do(t.Context(), command).Error(); err != nil {
			t.Errorf("with the page's rights: %v", err)
		}
	}

	b.do("LPUSH", held, "first", "second")
	b.do("LPUSH", queue, "third")
	if got, want := b.shell(look), "1\nthird\n"+held+"\nsecond\nfirst\n"; got != want {
		t.Errorf("looking says\n%s, want\n%s", got, want)
	}
	if got := b.shell(handBack); got != "2\n" {
		t.Errorf("handing back says %q", got)
	}
	if waiting, err := b.do("LRANGE", queue, "0", "-1").AsStrSlice(); err != nil || !slices.Equal(waiting, []string{"third", "second", "first"}) {
		t.Errorf("then there wait %q (%v)", waiting, err)
	}
	b.shell(push)
	if got := b.shell(takeOut); got != "1\n1\n" || b.waiting() != 0 {
		t.Errorf("taking one out and all of them says %q, and %d wait", got, b.waiting())
	}
	b.do("LPUSH", held, "innocent", "poison", "innocent")
	if got := b.shell("ELEMENT=poison\n" + setAside); got != "1\n" || b.inHand() != 2 {
		t.Errorf("setting aside says %q, and %d are in hand", got, b.inHand())
	}
}
