package planner

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/backoff"
)

// crashPause is the pause after a pod that failed: 10 s, doubling to 10 min.
var crashPause = backoff.Policy{First: 10 * time.Second, Longest: 10 * time.Minute}

// steadyAfter is how long a pod must have run for its failure to be counted as the first, as the kubelet does for
// containers.
const steadyAfter = 10 * time.Minute

// BackOff holds back the creation of a revision whose pods fail.
type BackOff struct {
	Revision string
	// Level is the number of failures in a row.
	Level int
	Until time.Time
}

// FailureLevel is the number of failures in a row that a failed pod stands for: createdAt is the level
// that it was created at, ran how long its worker container ran.
func FailureLevel(createdAt int, ran time.Duration) int {
	if ran >= steadyAfter {
		return 1
	}
	return createdAt + 1
}

// backOffFor reads the back-off of a revision from its pods, so that a restart of the operator does not
// forget it. It ends with a pod that was created since and has run for long enough, with a worker that has done a task
// since and ended by itself, and by itself some time after it has run out.
func backOffFor(revision string, f Fleet) BackOff {
	b := BackOff{Revision: revision}
	var last time.Time
	pods := where(f.Pods, ofRevision(revision))
	for _, p := range pods {
		if p.Failure.Level > 0 && p.Failure.At.After(last) {
			last = p.Failure.At
		}
		b.Level = max(b.Level, p.Failure.Level)
	}
	recovered := func(p Pod) bool {
		return p.Phase == Running && p.Created.After(last) && f.Now.Sub(p.Created) >= steadyAfter
	}
	if b.Level == 0 || f.Done[revision].After(last) || slices.ContainsFunc(pods, recovered) {
		return BackOff{Revision: revision}
	}
	b.Until = last.Add(crashPause.After(b.Level))
	if f.Now.Sub(b.Until) >= steadyAfter {
		return BackOff{Revision: revision} // an old story
	}
	return b
}
