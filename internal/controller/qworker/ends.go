package qworker

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/planner"
)

// ends is what is known of workers that end by themselves, with code 0 and without a grant. One that has done a task has
// not failed, however soon it ended. One that has done none, and ended at once, has: its image would be started again
// without pause.
//
// Only the broker can say whether a task was done. Either it has shown the worker with one, or the depth has fallen while
// the worker was there. Nothing of it is stored: what ended while no operator watched counts by what its revision has
// done before.
type ends struct {
	// workers are those that are there.
	workers map[string]*end
	// done is when a worker of a revision last ended after a task.
	done map[string]time.Time
}

// end is one worker.
type end struct {
	// falls is how often the depth had fallen when this process first knew of the worker.
	falls int
	// unwatched is true where it had ended before that.
	unwatched bool
	// endedSeen is when this process first knew that it had ended, zero before.
	endedSeen time.Time
	// decided is true once all is known that can be; did is then whether it has done a task.
	decided, did bool
}

func newEnds() ends { return ends{workers: map[string]*end{}, done: map[string]time.Time{}} }

// undecided reports whether a worker counts as failed only until a later reading tells of its task.
func (e *ends) undecided(p *planner.Pod) bool {
	known := e.workers[p.Name]
	return p.EndedAtOnce() && known != nil && !known.decided
}

// tellOfEnds are the queues of which such a reading can be expected. It wakes the QWorker.
func tellOfEnds(o *observation) []backlog.Key {
	var queues []backlog.Key
	at := o.places()
	for i := range o.states {
		p := &o.states[i]
		if !o.ends.undecided(p) || !isKnown(o.readingOf(at, p.Revision)) {
			continue
		}
		if key := at.key(p.Revision); !slices.Contains(queues, key) {
			queues = append(queues, key)
		}
	}
	return queues
}

// judge tells which of the workers that have ended had done a task; last is the newest reading of the queue that a
// revision works on.
func (t tasks) judge(now time.Time, last func(hash string) backlog.Reading) {
	there := make(map[string]*end, len(t.pods))
	for i := range t.pods {
		p := &t.pods[i]
		known := t.ends.workers[p.Name]
		if known == nil {
			known = &end{falls: t.fallsOf(p.Revision), unwatched: p.Phase == planner.Left}
		}
		there[p.Name] = known
		if !p.EndedWell.IsZero() && p.Grant.Reason == "" {
			t.judgeWorker(now, p, known, last(p.Revision))
		}
	}
	t.ends.workers = there
	t.keepPods(func(pod string) bool { return there[pod] != nil })
}

// judgeWorker says of a worker that has ended with 0 whether it has failed all the same.
func (t tasks) judgeWorker(now time.Time, p *planner.Pod, known *end, last backlog.Reading) {
	if known.endedSeen.IsZero() {
		known.endedSeen = now
	}
	if !known.decided {
		known.did = t.hasPod(p.Name) || (t.endWorkers() && t.fallsOf(p.Revision) > known.falls)
		// A worker is seen at its task while it has it; that the depth has fallen shows in a reading after its end.
		known.decided = known.did || !t.endWorkers() || (isKnown(last) && !last.ReadAt.Before(known.endedSeen))
	}
	switch {
	case known.did:
		p.Failure = planner.Failure{}
		if p.EndedWell.After(t.ends.done[p.Revision]) {
			t.ends.done[p.Revision] = p.EndedWell
		}
	case known.unwatched && t.endWorkers() && t.show(p.Revision):
		p.Failure = planner.Failure{} // nobody has seen what it did, and others of its revision do tasks
	case p.EndedAtOnce():
		p.Trouble = withoutTask(p.Trouble, t.endWorkers())
	}
}

// forget drops what is known of revisions that are gone.
func (t tasks) forget() {
	gone := func(hash string) bool { return t.revisions.of(hash) == nil }
	maps.DeleteFunc(t.ends.done, func(hash string, _ time.Time) bool { return gone(hash) })
	t.forgetFalls(gone)
}

// withoutTask adds to what a worker ended of that it did no task, and the remedy.
func withoutTask(ended string, endAfterTask bool) string {
	words := "it ended at once, and QScaler saw it do no task"
	if !endAfterTask {
		words += "; if it ends by itself after its task, set spec.drain.endsAfterTask"
	}
	switch {
	case ended == "":
		return words
	case strings.HasSuffix(ended, words):
		return ended // it was looked at before, in this round
	}
	return ended + "; " + words
}
