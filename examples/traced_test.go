package examples

import (
	"context"
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
