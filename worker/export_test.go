package worker

import "time"

// WithLockoutPatience has a test wait less long.
func WithLockoutPatience(d time.Duration) Option { return func(o *options) { o.lockout = d } }
