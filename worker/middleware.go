package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// PanicError is the error of a handler that panicked.
type PanicError struct {
	// Value is what the handler panicked with.
	Value any
	// Stack is where it panicked.
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap is the Value where that is an error, so that errors.Is and errors.As find it.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Recover turns a panic of the handler into a *PanicError, so that it ends the task and not the worker. Every worker
// has this middleware.
func Recover(next Handler) Handler {
	return func(ctx context.Context, t *Task) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		return next(ctx, t)
	}
}

// Log writes a line for each attempt: at level info when it succeeded, at level warn with the error when it
// did not. Payloads are not written.
func Log(log *slog.Logger) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, t *Task) error {
			began := time.Now()
			err := next(ctx, t)
			level, attrs := slog.LevelInfo, []slog.Attr{
				slog.String("id", t.ID), slog.Int("attempt", t.Attempt), slog.Duration("took", time.Since(began)),
			}
			if err != nil {
				level, attrs = slog.LevelWarn, append(attrs, slog.Any("error", err))
			}
			log.LogAttrs(ctx, level, "task", attrs...)
			return err
		}
	}
}
