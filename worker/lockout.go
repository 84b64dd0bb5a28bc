package worker

import (
	"fmt"
	"time"
)

// lockoutPatience is how long a broker may refuse the password, with each answer, before the worker ends. The password
// is a variable of the environment, which a restart of the container reads anew and nothing else does; but where one is
// changed, it takes a while until all know of it. A worker that is to leave waits as long for whatever else Redis refuses.
const lockoutPatience = time.Minute

// lockout is since when each answer of the broker has been that it does not know the password; zero while it does.
type lockout struct{ since time.Time }

// over is the error to end with, once the broker has refused the password for too long, by the answer that err is.
func (l *lockout) over(err error, patience time.Duration) error {
	if !isWrongPassword(err) {
		l.since = time.Time{}
		return nil
	}
	if l.since.IsZero() {
		l.since = time.Now()
	}
	if time.Since(l.since) < patience {
		return nil
	}
	return fmt.Errorf("the broker has refused the password for %s, and a restart may have another, %w", patience, err)
}
