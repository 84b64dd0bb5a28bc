package qworker

import "github.com/quickube/qscaler/internal/backlog"

// lookout is for the workers of which it matters whether they are seen at a task.
type lookout struct {
	*sightings
	// revisions has the revision of each of them, by pod.
	revisions map[string]string
	// pods are the workers that were not seen at a task themselves, and credits those revisions that may have done what the
	// queue has fewer; see ends.go.
	pods    []string
	credits []string
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

// noteFall notes that the queue has fewer messages than before.
func (l lookout) noteFall(prev, next backlog.Reading) {
	if len(l.credits) == 0 || !prev.Known || !isKnown(next) || messagesOf(next) >= messagesOf(prev) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.falls == nil {
		l.falls = map[string]int{}
	}
	for _, hash := range l.credits {
		l.falls[hash]++
	}
}

// messagesOf are the messages of a reading, taken or not.
func messagesOf(r backlog.Reading) int64 { return r.Depth.Waiting.N + r.Depth.InFlight.N }
