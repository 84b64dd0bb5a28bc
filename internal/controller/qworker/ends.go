package qworker

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/planner"
)

// ends is what is known of workers that end by themselves, with code 0 and without a grant. One that has done a task has
// not failed, however soon it ended. One that has done none, and ended at once, has: its image would be started again
// without pause.
//
// Only the broker can say whether a task was done. Either it has shown the worker with one, or what was done shows in the
// queue: it has fewer messages, or more that are settled.
//
// Where neither is so, the worker may still have done one. Many brokers do not show who has a task, and a queue that grows
// shows nothing that is done. So it is a failure only once several workers in a row have ended at once and nothing has
// moved in the queue. Until then the worker counts as one that has left, and the next is created at a pace.
//
// Nothing of it is stored: what ended while no operator watched is not known to have done nothing.
type ends struct {
	// workers are those that are there.
	workers map[string]*end
	// done is when a worker of a revision last ended after a task.
	done map[string]time.Time
	// idle counts the workers of a revision that have ended at once in a row, with nothing that has moved in the queue.
	idle map[string]int
	// paced is until when no worker of a revision is created, because nobody knows what the last one has done.
	paced map[string]time.Time
}

// end is one worker.
type end struct {
	// signs are those of its revision when this process first knew of the worker.
	signs signs
	// unwatched is true where it had ended before that.
	unwatched bool
	// endedSeen is when this process first knew that it had ended, zero before.
	endedSeen time.Time
	// decided is true once all is known that can be; did is then whether it has done a task, and unknown is true where
	// nobody can say.
	decided, did, unknown bool
}

const (
	// idleEnds is how many workers must end at once, one after the other, for a queue in which nothing moves to show that
	// they do nothing. Between two readings as many messages may come as are done.
	idleEnds = 3
	// endPace is how long after a worker was created the next one may be, where nobody knows what it has done.
	endPace = 5 * time.Second
)

func newEnds() ends {
	return ends{workers: map[string]*end{}, done: map[string]time.Time{}, idle: map[string]int{}, paced: map[string]time.Time{}}
}

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
			known = &end{signs: t.signsOf(p.Revision), unwatched: p.Phase == planner.Left}
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
		t.decideEnd(p, known, last)
	}
	switch {
	case known.did:
		p.Failure = planner.Failure{}
		if p.EndedWell.After(t.ends.done[p.Revision]) {
			t.ends.done[p.Revision] = p.EndedWell
		}
	case known.unknown:
		p.Failure = planner.Failure{}
	case p.EndedAtOnce():
		p.Trouble = withoutTask(p.Trouble, t.endWorkers())
	}
}

// decideEnd finds out what a worker has done that has ended with 0. It is seen at its task while it has it; what the queue
// shows of that is in a reading after its end. Without the field, the queue is asked only where the broker does not show
// the worker.
func (t tasks) decideEnd(p *planner.Pod, known *end, last backlog.Reading) {
	if known.did = t.hasPod(p.Name); known.did {
		known.decided = true
		t.ends.idle[p.Revision] = 0
		return
	}
	if !t.endWorkers() {
		if known.decided = isKnown(last) && t.shows(p.Name, last.Depth); known.decided || !isKnown(last) {
			return
		}
	}
	signs := t.signsOf(p.Revision)
	known.did = signs.done > known.signs.done
	known.decided = known.did || (isKnown(last) && !last.ReadAt.Before(known.endedSeen))
	switch {
	case known.did:
		t.ends.idle[p.Revision] = 0
	case known.decided && p.EndedAtOnce():
		known.unknown = t.mayHaveDone(p, known, last.Depth, signs.moved > known.signs.moved)
	}
}

// mayHaveDone reports whether a worker that has ended at once may have done a task, though nothing shows that.
func (t tasks) mayHaveDone(p *planner.Pod, known *end, depth broker.Depth, moved bool) bool {
	switch {
	case known.unwatched:
	case moved && !t.shows(p.Name, depth):
		t.ends.idle[p.Revision] = 0
	default:
		if t.ends.idle[p.Revision]++; t.ends.idle[p.Revision] >= idleEnds {
			return false
		}
	}
	created := p.Created
	if created.After(known.endedSeen) {
		created = known.endedSeen // the API server's clock is ahead
	}
	if until := created.Add(endPace); until.After(t.ends.paced[p.Revision]) {
		t.ends.paced[p.Revision] = until
	}
	return true
}

// shows reports whether the broker would have shown a worker with its task: it shows what this one holds, and has shown
// another worker of the fleet with a task.
func (t tasks) shows(pod string, depth broker.Depth) bool {
	_, shown := depth.Held[pod]
	return shown && !depth.HeldLate && slices.ContainsFunc(t.pods, func(p planner.Pod) bool { return t.show(p.Revision) })
}

// forget drops what is known of revisions that are gone.
func (t tasks) forget() {
	gone := func(hash string) bool { return t.revisions.of(hash) == nil }
	maps.DeleteFunc(t.ends.done, func(hash string, _ time.Time) bool { return gone(hash) })
	maps.DeleteFunc(t.ends.idle, func(hash string, _ int) bool { return gone(hash) })
	maps.DeleteFunc(t.ends.paced, func(hash string, _ time.Time) bool { return gone(hash) })
	t.forgetSigns(gone)
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
