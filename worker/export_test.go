package worker

import "time"

// WithLockoutLimit has a test wait less long.
func WithLockoutLimit(d time.Duration) Option { return func(o *options) { o.lockout = d } }
