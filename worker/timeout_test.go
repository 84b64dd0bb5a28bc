package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/workertest"
)

// A task that takes too long is told so by its context, as any deadline is told.
func TestATimeoutIsADeadline(t *testing.T) {
	b := newBench(t)
	b.do("LPUSH", queue, "slow")
	seen := make(chan error, 10)
	r := b.start(func(ctx context.Context, _ *worker.Task) error {
		if _, known := ctx.Deadline(); !known {
			seen <- errors.New("the deadline is not known")
		}
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, worker.ErrTimeout) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			seen <- fmt.Errorf("the context ended with %w, because of %w", ctx.Err(), cause)
		}
		seen <- nil
		return fmt.Errorf("printing, %w", ctx.Err())
	}, worker.WithTimeout(20*time.Millisecond), worker.WithRetries(0))
	if err := receive(b, seen, "time-out"); err != nil {
		t.Error(err)
	}
	b.awaitDead(1)
	r.cancel()
	r.left()
	letters, err := worker.NewClient(b.redis).DeadLetters(t.Context(), queue, 0, 1)
	if want := worker.ErrTimeout.Error() + ", printing, context deadline exceeded"; err != nil || letters[0].Error != want {
		t.Errorf("the letters are %+v (%v), want the error %q", letters, err, want)
	}
}

// The time-out tells a handler to stop, and takes no decision from it.
func TestWhatAHandlerSaysAfterItsTimeout(t *testing.T) {
	cases := map[string]struct {
		say  func(error) error
		want string
	}{
		"permanent":     {worker.Permanent, "0 done, 0 waiting, 0 in hand, 0 delayed, 1 dead"},
		"a pause":       {func(err error) error { return worker.RetryAfter(err, 2*time.Hour) }, "0 done, 0 waiting, 0 in hand, 1 delayed, 0 dead"},
		"it is done":    {func(error) error { return nil }, "1 done, 0 waiting, 0 in hand, 0 delayed, 0 dead"},
		"an error":      {func(err error) error { return err }, "0 done, 0 waiting, 0 in hand, 1 delayed, 0 dead"},
		"handed back":   {func(error) error { return worker.ErrHandBack }, "0 done, 1 waiting, 0 in hand, 0 delayed, 0 dead"},
		"and with more": {func(err error) error { return errors.Join(worker.ErrHandBack, err) }, "0 done, 1 waiting, 0 in hand, 0 delayed, 0 dead"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := workertest.New(t)
			var w *workertest.Process
			begun := make(chan struct{})
			w = b.Start(func(ctx context.Context, _ *worker.Task) error {
				begun <- struct{}{}
				<-ctx.Done()
				w.Grant("ScaleDown") // so that it takes nothing more
				<-worker.Draining(ctx)
				return c.say(fmt.Errorf("printing, %w", ctx.Err()))
			}, worker.WithTimeout(10*time.Minute))
			b.Push("task")
			<-begun
			b.Advance(10 * time.Minute)
			w.Wait()
			if got := b.String(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if strings.HasSuffix(c.want, "1 dead") && !strings.Contains(b.DeadLetters()[0].Error, "too long, printing") {
				t.Errorf("the letter is %+v", b.DeadLetters()[0])
			}
			if name == "a pause" {
				b.Advance(time.Hour)
				if b.Delayed() != 1 {
					t.Error("the back-off was taken, and not the handler's pause")
				}
			}
		})
	}
}
