package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

type badObserver struct{}

func (badObserver) Started(*worker.Task) { panic("in Started") }

func (badObserver) Ended(*worker.Task, worker.Outcome, time.Duration) { panic("in Ended") }

type badError struct{}

func (badError) Error() string { panic("in Error") }

type badIs struct{ error }

func (badIs) Is(error) bool { panic("in Is") }

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func logTo(log *lines) worker.Option {
	return worker.WithLogger(slog.New(slog.NewTextHandler(log, nil)))
}

// Whatever of the user's panics, it ends the task at most: the worker has others in hand. The log says where.
func TestNoPanicEndsTheWorker(t *testing.T) {
	fail := func(context.Context, *worker.Task) error { return errors.New("no") }
	fine := func(context.Context, *worker.Task) error { return nil }
	cases := map[string]struct {
		handler           worker.Handler
		opt               worker.Option
		done, delay, dead int
		log               string
	}{
		"a handler": {func(context.Context, *worker.Task) error { panic("boom") }, worker.WithRetries(0), 0, 0, 1, "boom"},
		"a middleware": {fine, worker.WithMiddleware(func(worker.Handler) worker.Handler {
			return func(context.Context, *worker.Task) error { panic("in a middleware") }
		}), 0, 1, 0, "in a middleware"},
		"a back-off":          {fail, worker.WithBackoff(func(int) time.Duration { panic("in a back-off") }), 0, 1, 0, "in a back-off"},
		"an observer":         {fine, worker.WithObserver(badObserver{}), 1, 0, 0, "in Ended"},
		"a typed nil":         {func(context.Context, *worker.Task) error { var e *os.PathError; return e }, worker.WithRetries(0), 0, 0, 1, ""},
		"an error's Is":       {func(context.Context, *worker.Task) error { return badIs{} }, worker.WithRetries(0), 0, 0, 1, "in Is"},
		"an error":            {func(context.Context, *worker.Task) error { return badError{} }, worker.WithRetries(0), 0, 0, 1, ""},
		"an end of goroutine": {func(context.Context, *worker.Task) error { runtime.Goexit(); return nil }, worker.WithRetries(0), 0, 0, 1, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := workertest.New(t)
			log := &lines{}
			w := b.Start(c.handler, logTo(log), c.opt)
			b.Push("task")
			b.AwaitDone(c.done)
			b.AwaitDelayed(c.delay)
			b.AwaitDead(c.dead)
			w.Grant("ScaleDown")
			w.Wait()
			if c.log != "" && (!strings.Contains(log.String(), c.log) || !strings.Contains(log.String(), "panic_test.go")) {
				t.Errorf("the log does not say where it panicked:\n%s", log)
			}
		})
	}
}

// What a handler panicked with is found in the error where it is one.
func TestAPanicWithAnErrorIsThatError(t *testing.T) {
	broken := errors.New("the printer is on fire")
	for _, c := range []struct {
		value any
		is    bool
	}{{broken, true}, {"boom", false}} {
		handler := worker.Recover(func(context.Context, *worker.Task) error { panic(c.value) })
		if err := handler(t.Context(), &worker.Task{}); errors.Is(err, broken) != c.is {
			t.Errorf("%v is %v: %t, want %t", err, broken, !c.is, c.is)
		}
	}
}
