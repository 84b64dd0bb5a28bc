package main

import (
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// refusedFor is how long Redis may refuse the password with each answer before the worker ends. The password is a
// variable: only another process can have the present one.
const refusedFor = time.Minute

// lockout is since when Redis has refused the password with each answer; zero while it does not.
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

// isWrongPassword reports whether Redis does not know the user or the password.
func isWrongPassword(err error) bool {
	answer, ok := rueidis.IsRedisErr(err)
	return ok && (strings.HasPrefix(answer.Error(), "WRONGPASS") || strings.HasPrefix(answer.Error(), "NOAUTH"))
}
