package qworker

import (
	"context"
	"errors"
	"sync"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/planner"
)

// sightings are the revisions of which a worker was seen at a task: the broker has shown one of their pods with a task in
// its hands. Until then a worker that holds nothing is not known to be idle. It may take its tasks in a way that the
// broker does not show, as with BRPOP, Celery or RQ.
//
// Each reading is looked at, also those that wake nobody: a short task is only in few of them. Revisions keep what was
// seen for a later leader; this is what is not stored yet.
type sightings struct {
	mu   sync.Mutex
	seen map[string]bool
	// pods has the workers that were seen at a task themselves. falls counts, by revision, how often the depth fell while
	// its workers were there.
	pods  map[string]bool
	falls map[string]int
}

func (s *sightings) has(hash string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[hash]
}

func (s *sightings) add(hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[hash] = true
}

// lookout is for the workers of which it matters whether they are seen at a task.
type lookout struct {
	*sightings
	// revisions has the revision of each of them, by pod.
	revisions map[string]string
	// pods are the workers that were not seen at a task themselves, and credits those revisions that may have done what the
	// queue has fewer; see tasksdone.go.
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

// showsTasks reports whether workers of a revision were seen at a task.
func (o *observation) showsTasks(hash string) bool {
	made := o.revisions.of(hash)
	return (made != nil && made.SeenAtTask) || o.sightings.has(hash)
}

// lookout is for the pods whose revision was not seen at a task yet, those that are about to be created included.
func (o *observation) lookout(creating map[string]string) lookout {
	l := lookout{sightings: o.sightings, revisions: map[string]string{}}
	note := func(pod, hash string) {
		if !o.showsTasks(hash) {
			l.revisions[pod] = hash
		}
	}
	for _, p := range o.states {
		note(p.Name, p.Revision)
		l.urgent = l.urgent || p.Signalled
	}
	for pod, hash := range creating {
		note(pod, hash)
	}
	l.pods, l.credits = o.notSeenAtTask(creating), o.credited(creating)
	return l
}

// unseen reports whether the worker of a pod may be at a task that nobody sees: the broker keeps tasks by worker, or
// cannot be asked, and no worker of the revision was ever seen with one.
func (o *observation) unseen(hash string, reading backlog.Reading) bool {
	return !o.showsTasks(hash) && !reading.Depth.CountsAll()
}

// stays reports whether a pod is not to be told to end: its worker has no choice once it is told, and may be at a task
// that nobody sees. One that has no node, or of which the kubelet says why it does not run, is at none.
func (o *observation) stays(p planner.Pod, i int, reading backlog.Reading) bool {
	if !p.Signalled || !p.Live() || mayEndUnseenTasks(o.qw.Spec.Drain) || !o.unseen(p.Revision, reading) {
		return false
	}
	return p.Phase == planner.Running || (o.pods[i].Spec.NodeName != "" && p.Trouble == "")
}

// keepSightings stores which revisions were seen at a task. Scaling does not wait for it.
func (r *round) keepSightings(ctx context.Context) error {
	var errs []error
	for i := range r.revisions.all {
		made := &r.revisions.all[i]
		if made.SeenAtTask || !r.sightings.has(made.Hash) {
			continue
		}
		err := r.proofs().store("sighting", made.Hash, func() error { return r.history.MarkSeenAtTask(ctx, r.qw, *made) })
		if err != nil {
			errs = append(errs, err)
			continue
		}
		made.SeenAtTask = true
	}
	return errors.Join(errs...)
}
