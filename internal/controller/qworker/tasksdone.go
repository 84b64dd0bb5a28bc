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
func (e *ends) undecided(pods []planner.Pod) bool {
	return slices.ContainsFunc(pods, func(p planner.Pod) bool {
		known := e.workers[p.Name]
		return p.EndedAtOnce() && known != nil && !known.decided
	})
}

// endAfterTask reports whether workers end by themselves after their task.
func (o *observation) endAfterTask() bool {
	return o.qw.Spec.Drain != nil && o.qw.Spec.Drain.EndsAfterTask
}

// judgeEnds tells which of the workers that have ended had done a task.
func (r *round) judgeEnds() {
	e := r.ends
	there := make(map[string]*end, len(r.states))
	for i := range r.states {
		p := &r.states[i]
		known := e.workers[p.Name]
		if known == nil {
			known = &end{falls: r.sightings.fallsOf(p.Revision), unwatched: p.Phase == planner.Left}
		}
		there[p.Name] = known
		if !p.EndedWell.IsZero() && p.Grant.Reason == "" {
			r.judge(p, known)
		}
	}
	e.workers = there
	r.sightings.keepPods(there)
}

// forgetEnds drops what is known of revisions that are gone.
func (r *round) forgetEnds() {
	maps.DeleteFunc(r.ends.done, func(hash string, _ time.Time) bool { return r.revisions.of(hash) == nil })
	r.sightings.mu.Lock()
	defer r.sightings.mu.Unlock()
	maps.DeleteFunc(r.sightings.falls, func(hash string, _ int) bool { return r.revisions.of(hash) == nil })
}

// judge says of a worker that has ended with 0 whether it has failed all the same.
func (o *observation) judge(p *planner.Pod, known *end) {
	if known.endedSeen.IsZero() {
		known.endedSeen = o.now
	}
	if !known.decided {
		known.did = o.sightings.hasPod(p.Name) || (o.endAfterTask() && o.sightings.fallsOf(p.Revision) > known.falls)
		// A worker is seen at its task while it has it; that the depth has fallen shows in a reading after its end.
		reading := o.readingOf(o.places(), p.Revision)
		known.decided = known.did || !o.endAfterTask() || (isKnown(reading) && !reading.ReadAt.Before(known.endedSeen))
	}
	switch {
	case known.did:
		p.Failure = planner.Failure{}
		if p.EndedWell.After(o.ends.done[p.Revision]) {
			o.ends.done[p.Revision] = p.EndedWell
		}
	case known.unwatched && o.endAfterTask() && o.showsTasks(p.Revision):
		p.Failure = planner.Failure{} // nobody has seen what it did, and others of its revision do tasks
	case p.EndedAtOnce():
		p.Trouble = withoutTask(p.Trouble, o.endAfterTask())
	}
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

// notSeenAtTask are the workers that were not seen at a task themselves, those that are about to be created included.
func (o *observation) notSeenAtTask(creating map[string]string) []string {
	pods := make([]string, 0, len(o.states)+len(creating))
	for i := range o.states {
		pods = append(pods, o.states[i].Name)
	}
	for pod := range creating {
		pods = append(pods, pod)
	}
	return o.sightings.withoutPods(pods)
}

// credited are the revisions whose workers may have done what the queue has fewer. Where there are several, those that
// have yet to prove themselves are not: an image that does nothing may run beside one that works.
func (o *observation) credited(creating map[string]string) []string {
	if !o.endAfterTask() {
		return nil
	}
	live := map[string]bool{}
	for i := range o.states {
		if o.states[i].Phase != planner.Left {
			live[o.states[i].Revision] = true
		}
	}
	for _, hash := range creating {
		live[hash] = true
	}
	if len(live) > 1 {
		maps.DeleteFunc(live, func(hash string, _ bool) bool {
			made := o.revisions.of(hash)
			return made == nil || !made.Proven
		})
	}
	return slices.Collect(maps.Keys(live))
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

func (s *sightings) fallsOf(hash string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.falls[hash]
}

// addPods notes which of the workers are at a task by a reading.
func (s *sightings) addPods(pods []string, next backlog.Reading) {
	if len(pods) == 0 || next.Depth.Held == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pod := range pods {
		if next.Depth.Held[pod] > 0 {
			if s.pods == nil {
				s.pods = map[string]bool{}
			}
			s.pods[pod] = true
		}
	}
}

func (s *sightings) hasPod(pod string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pods[pod]
}

// withoutPods are the workers of a list that were not seen at a task. The list is used up.
func (s *sightings) withoutPods(pods []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(pods, func(pod string) bool { return s.pods[pod] })
}

// keepPods forgets workers that are gone.
func (s *sightings) keepPods(there map[string]*end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.pods, func(pod string, _ bool) bool { return there[pod] == nil })
}
