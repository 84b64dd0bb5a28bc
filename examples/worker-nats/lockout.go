package main

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// refusedFor is how long NATS may refuse the password with each answer before the worker ends. The password is a
// variable: only another process can have the present one.
const refusedFor = time.Minute

// lockout is since when NATS has refused the password with each answer; zero while it does not.
type lockout struct{ since time.Time }

// note takes in what came of the last turn, nil where it went well.
func (l *lockout) note(err error) {
	switch {
	case !isWrongPassword(err):
		l.since = time.Time{}
	case l.since.IsZero():
		l.since = time.Now()
	}
}

func (l *lockout) isOver() bool { return !l.since.IsZero() && time.Since(l.since) >= refusedFor }

// isWrongPassword reports whether NATS refuses who logs in: a wrong password, token or seed, or one that is no longer valid.
func isWrongPassword(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked)
}
