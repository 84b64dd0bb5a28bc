package qworker

import (
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// lookout is for the workers of which it matters whether they are seen at a task.
type lookout struct {
	*sightings
	// revisions has the revision of each of them, by pod.
	revisions map[string]string
	// pods are the workers that were not seen at a task themselves. credits has the revisions that have workers, each with
	// whether they may have done what is done; see ends.go.
	pods    []string
	credits map[string]bool
	// urgent is true where one of them may stay until its revision was seen: the QWorker is woken then. Else the next look
	// is early enough, and a first task costs the API server nothing by itself.
	urgent bool
}

// finds notes who is at a task by a reading, and reports whether a revision is among them that was not seen so before and
// for which somebody may wait.
func (l lookout) finds(next backlog.Reading) bool {
	l.addPods(l.pods, next)
	found := false
	for pod, hash := range l.revisions {
		if next.Depth.Held[pod] > 0 && !l.has(hash) {
			l.add(hash)
			found = l.urgent
		}
	}
	return found
}

// noteSigns notes what has changed in the queue since the reading before.
func (l lookout) noteSigns(prev, next backlog.Reading) {
	if len(l.credits) == 0 || !prev.Known || !isKnown(next) {
		return
	}
	moved, done := signsBetween(prev.Depth, next.Depth)
	if !moved {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signs == nil {
		l.signs = map[string]signs{}
	}
	for hash, mayBeTheirs := range l.credits {
		s := l.signs[hash]
		s.moved++
		if done && mayBeTheirs {
			s.done++
		}
		l.signs[hash] = s
	}
}

// signsBetween tells of two depths whether anything was done with the messages, and whether a task was. A broker that
// counts what is settled tells that also where more messages have come meanwhile, and that nothing was settled where it
// was not. Elsewhere a queue that does not change at all is the only sign of that.
func signsBetween(prev, next broker.Depth) (moved, done bool) {
	done = messagesOf(next) < messagesOf(prev)
	if prev.Settled.Known && next.Settled.Known {
		done = done || next.Settled.N > prev.Settled.N
		return done || next.Settled.N != prev.Settled.N, done
	}
	return prev.Waiting != next.Waiting || prev.InFlight != next.InFlight, done
}

// messagesOf are the messages of a queue, taken or not.
func messagesOf(d broker.Depth) int64 { return d.Waiting.N + d.InFlight.N }
