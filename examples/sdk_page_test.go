package examples

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

// traced is the middleware of docs/write-a-worker.md.
func traced(next worker.Handler) worker.Handler {
	return func(ctx context.Context, t *worker.Task) error {
		ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier(t.Headers))
		ctx, span := otel.Tracer("worker").Start(ctx, "task", trace.WithAttributes(attribute.String("id", t.ID)))
		defer span.End()
		err := next(ctx, t)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return err
	}
}

// A handler goes on with its producer's trace.
func TestTraced(t *testing.T) {
	before := otel.GetTextMapPropagator()
	otel.SetTextMapPropagator(propagation.TraceContext{})
	defer otel.SetTextMapPropagator(before)
	seen := make(chan string, 1)
	b := workertest.New(t)
	b.Start(func(ctx context.Context, _ *worker.Task) error {
		seen <- trace.SpanContextFromContext(ctx).TraceID().String()
		return nil
	}, worker.WithMiddleware(traced))
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	if _, err := b.Enqueue("task", worker.WithHeader("traceparent", "00-"+id+"-00f067aa0ba902b7-01")); err != nil {
		t.Fatal(err)
	}
	b.AwaitDone(1)
	if got := <-seen; got != id {
		t.Errorf("the handler's trace is %s, want %s", got, id)
	}
}

// The lines with which the page has a worker be tried without a cluster do a task.
func TestTheLinesToTryAWorker(t *testing.T) {
	page, err := os.ReadFile("../docs/write-a-worker.md")
	must(t, err)
	_, lines, _ := strings.Cut(string(page), "\n```sh\n")
	lines, _, _ = strings.Cut(lines, "\n```")
	run, push, found := strings.Cut(lines, "\n")
	if !found {
		t.Fatalf("the page's first lines are\n%s", lines)
	}
	if out, err := exec.Command("go", "build", "-o", t.TempDir(), "./worker-sdk").CombinedOutput(); err != nil { // so that it takes no time below
		t.Fatalf("%v\n%s", err, out)
	}
	s := &stage{queue: "task-queue", journal: &journal{t: t}}
	s.startRedis(t)
	_, port, err := net.SplitHostPort(s.address)
	must(t, err)
	here := strings.NewReplacer("127.0.0.1:6379", s.address, "redis-cli", "redis-cli -p "+port)
	s.command = []string{"sh", "-ec", "cd ..\n" + here.Replace(run)}
	p := s.startPod(t)
	if out, err := exec.Command("sh", "-ec", here.Replace(push)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.waitFor(t, "done t-1")
	p.grant(t)
	p.waitForExit(t)
}
