package worker

import (
	"fmt"
	"time"
)

// lockoutLimit is how long a broker may refuse the password, with each answer, before the worker ends. The
// password is an environment variable: only a restart of the container reads it anew, and after a change it takes a
// while until all parts know the new one. A worker that is to leave waits as long for anything else that Redis
// refuses.
const lockoutLimit = time.Minute

// lockout is since when the broker has refused the password with each answer; zero while it accepts it.
type lockout struct{ since time.Time }

// over is the error to end with, once the broker has refused the password for too long. err is its answer.
func (l *lockout) over(err error, limit time.Duration) error {
	if !isWrongPassword(err) {
		l.since = time.Time{}
		return nil
	}
	if l.since.IsZero() {
		l.since = time.Now()
	}
	if time.Since(l.since) < limit {
		return nil
	}
	return fmt.Errorf("the broker has refused the password for %s, and a restart may have another, %w", limit, err)
}
