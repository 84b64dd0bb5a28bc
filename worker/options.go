package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Defaults of the options.
const (
	DefaultConcurrency = 1
	DefaultRetries     = 10
	DefaultMinBackoff  = time.Second
	DefaultMaxBackoff  = time.Hour
)

// MaxConcurrency is the most tasks that one worker does at once.
const MaxConcurrency = 1000

// Option changes how a worker works.
type Option func(*options)

type options struct {
	concurrency int
	timeout     time.Duration
	retries     int
	backoff     func(failures int) time.Duration
	middleware  []Middleware
	log         *slog.Logger
	observer    Observer
	lockout     time.Duration
	// wrong is the error of an option that the other fields do not show.
	wrong error
}

func defaults() options {
	return options{
		concurrency: DefaultConcurrency,
		retries:     DefaultRetries,
		backoff:     Exponential(DefaultMinBackoff, DefaultMaxBackoff),
		log:         slog.Default(),
		observer:    noObserver{},
		lockout:     lockoutLimit,
	}
}

func (o options) check() error {
	switch {
	case o.wrong != nil:
		return o.wrong
	case o.concurrency < 1 || o.concurrency > MaxConcurrency:
		return fmt.Errorf("WithConcurrency(%d): it must be 1 to %d", o.concurrency, MaxConcurrency)
	case o.retries < 0:
		return fmt.Errorf("WithRetries(%d): it must be 0 or more", o.retries)
	case o.timeout < 0:
		return fmt.Errorf("WithTimeout(%s): it must be 0, which is none, or more", o.timeout)
	case o.backoff == nil:
		return errors.New("WithBackoff(nil): without the option, the default is Exponential(1s, 1h)")
	case slices.ContainsFunc(o.middleware, func(m Middleware) bool { return m == nil }):
		return errors.New("WithMiddleware(nil): leave it out where there is none")
	case o.log == nil:
		return errors.New("WithLogger(nil): for no log, use slog.New(slog.DiscardHandler)")
	case o.observer == nil:
		return errors.New("WithObserver(nil): leave it out where there is none")
	}
	return nil
}

// WithConcurrency sets how many tasks the worker does at once, 1 to 1000; the default is 1. The operator
// counts messages, not workers' slots: with a concurrency of n, set messagesPerWorker to about n.
func WithConcurrency(n int) Option { return func(o *options) { o.concurrency = n } }

// WithTimeout bounds each attempt: the task's context has a deadline, and ErrTimeout as its cause. The attempt ends
// when the handler returns, which it should do then. What it returns counts as usual, and ErrTimeout is added to an
// error. The default is 0: a task takes as long as it takes.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithRetries sets how often a task is tried again before it becomes a dead letter, 0 or more; the default is
// 10. An attempt whose worker was killed counts, too.
func WithRetries(n int) Option { return func(o *options) { o.retries = n } }

// WithBackoff sets the pause before the next attempt, by how often the task has failed, 1 after the first
// attempt. The default is Exponential(1s, 1h).
func WithBackoff(backoff func(failures int) time.Duration) Option {
	return func(o *options) { o.backoff = backoff }
}

// WithMiddleware wraps the handler: the first is the outermost. Recover is always there, the innermost and the
// outermost.
func WithMiddleware(m ...Middleware) Option {
	return func(o *options) { o.middleware = append(o.middleware, m...) }
}

// WithLogger sets where the worker logs errors of the broker, dead letters, and when and why it leaves. The default
// is slog.Default. For a line for each task, see Log.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithObserver sets an observer that is called for each attempt; see the package workermetrics for one.
func WithObserver(observer Observer) Option { return func(o *options) { o.observer = observer } }

// Exponential is a backoff that doubles from least to most. Each pause is shortened by a random fifth at most, so
// that tasks that failed together do not come back together.
func Exponential(least, most time.Duration) func(failures int) time.Duration {
	return func(failures int) time.Duration {
		full := float64(most)
		if shift := failures - 1; shift < 62 { // beyond, it would overflow
			full = min(math.Ldexp(float64(least), shift), full)
		}
		const part = 5
		return time.Duration(full - rand.Float64()*full/part)
	}
}
