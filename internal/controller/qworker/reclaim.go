package qworker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/fleet"
)

// parallelReclaims bounds how many lists are given back at once.
const parallelReclaims = 32

// giveBack returns the tasks of workers that are no more to their queue: of pods whose containers have all
// ended, before those are removed, and of pods that are gone. A dead worker is known by its pod, never by a
// timer, so nothing here can take a task from a worker that is alive but slow.
func (s *scope) giveBack(ctx context.Context) {
	if s.memory.declined {
		clear(s.memory.lost)
		clear(s.memory.retries)
		clear(s.memory.searched)
		s.memory.searchFrom = s.now
		return
	}
	if !s.reclaims() || (s.config == nil && !s.deleting()) { // one that is away for a moment may come back changed
		return
	}
	s.findStrays()
	if s.awaited() != nil {
		s.wakeAt(s.now.Add(searchPause))
	}
	dead := s.deadPods()
	outcomes := make([]reclaimed, len(dead))
	var group errgroup.Group
	group.SetLimit(parallelReclaims)
	for i, d := range dead {
		group.Go(func() error {
			outcomes[i].moved, outcomes[i].err = s.reclaim(ctx, d)
			return nil
		})
	}
	_ = group.Wait()
	for i, d := range dead { // the memory has no lock, and needs none here
		s.noteReclaim(d.pod, outcomes[i].moved, outcomes[i].err)
	}
	for _, r := range s.memory.retries {
		s.wakeAt(r.at)
	}
}

const (
	reclaimRetryBase = time.Second
	reclaimRetryMax  = time.Minute
)

// noteReclaim remembers what came of giving a pod's tasks back.
func (s *scope) noteReclaim(pod string, moved int64, err error) {
	m := s.memory
	if errors.Is(err, fleet.ErrNotOurs) { // somebody else looks after it now, and what it holds
		delete(m.lost, pod)
		delete(m.retries, pod)
		return
	}
	s.returned += moved // also where some are left
	if err != nil {
		delay := min(max(2*m.retries[pod].delay, reclaimRetryBase), reclaimRetryMax)
		again := retry{delay: delay, at: s.now.Add(delay)}
		if !errors.Is(err, errStillThere) {
			s.reclaimErr, again.err, again.refused = err, err, m.retries[pod].refused+1
			if lost, vanished := m.lost[pod]; vanished { // what has turned up late is not back
				lost.settled = time.Time{}
				m.lost[pod] = lost
			}
		}
		m.retries[pod] = again
		return
	}
	delete(m.retries, pod)
	if lost, vanished := m.lost[pod]; vanished {
		lost.settled = s.now
		m.lost[pod] = lost
		return
	}
	m.settled[pod] = true
}

// errStillThere is returned for a pod that the cache no longer shows and the API server does.
var errStillThere = errors.New("the pod is still there")

// deadPod is a pod whose tasks are to be given back.
type deadPod struct {
	pod, revision string
	// vanished pods are not there any more, as far as the cache shows.
	vanished bool
}

// reclaimed is what came of that.
type reclaimed struct {
	moved int64
	err   error
}

// reclaim gives a pod's tasks back. Several run at once, and none may touch the memory.
func (s *scope) reclaim(ctx context.Context, d deadPod) (int64, error) {
	if d.vanished {
		gone, err := s.fleets.Gone(ctx, s.qw, d.pod)
		if err != nil {
			return 0, err
		}
		if !gone {
			return 0, errStillThere
		}
	}
	moved, err := s.backlog.Reclaim(ctx, s.keyOf(d.revision), d.pod)
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("giving the tasks of pod %s back to the queue, %w", d.pod, err)
	}
	return moved, nil
}

// reclaims reports whether the tasks of dead workers are ours to give back.
func (s *scope) reclaims() bool { return !s.memory.declined && !s.abandons() }

// abandonAfter is for how long a deleted QWorker waits for a broker whose ScalerConfig is gone too: both may have
// been uninstalled together.
const abandonAfter = time.Minute

// abandons reports whether a deleted QWorker has no way any more to give tasks back. Its ScalerConfig may have been
// deleted with it; that does not matter while the connection works.
func (s *scope) abandons() bool {
	if s.config != nil || !s.deleting() {
		return false
	}
	if s.queueRevision() == nil {
		return true
	}
	r := s.backlog.Last(s.mainKey())
	if r.Err == nil {
		return false
	}
	s.wakeAt(r.ErrSince.Add(abandonAfter))
	return broker.Lasting(r.Err) || s.now.Sub(r.ErrSince) >= abandonAfter
}

// lingering is for how long the list of a pod that is gone is still looked at: a request that its worker had
// on the way, in a connection that hung, can move a task there after the list was given back.
const lingering = time.Minute

// trackPods notes which pods have vanished since the last observation.
func (s *scope) trackPods() {
	m := s.memory
	present := make(map[string]string, len(s.states))
	for _, p := range s.states {
		present[p.Name] = p.Revision
		delete(m.lost, p.Name)
	}
	for pod, hash := range m.seen {
		if _, still := present[pod]; still {
			continue
		}
		s.retryQuotas()
		lost := lostPod{revision: hash, since: s.now}
		if m.settled[pod] {
			delete(m.settled, pod)
			lost.settled = s.now
		}
		m.lost[pod] = lost
	}
	for pod, lost := range m.lost {
		if lost.settled.IsZero() {
			if s.isEmpty(pod, lost) {
				delete(m.lost, pod)
				delete(m.retries, pod)
			}
			continue
		}
		if s.now.Sub(lost.settled) >= lingering {
			delete(m.lost, pod)
			continue
		}
		s.wakeAt(lost.settled.Add(lingering))
	}
	m.seen = present
}

// isEmpty reports whether nothing is left to be given back of a pod for which the broker refuses to: its list was
// read as empty when nothing could turn up there any more.
func (s *scope) isEmpty(pod string, lost lostPod) bool {
	if s.memory.retries[pod].refused == 0 {
		return false
	}
	r := s.backlog.Last(s.keyOf(lost.revision))
	held, counted := r.Depth.Held[pod]
	return counted && held == 0 && r.Err == nil && r.ReadAt.Sub(lost.since) >= lingering
}

// deadPods are the pods whose tasks are to be given back now, by name.
func (s *scope) deadPods() []deadPod {
	var dead []deadPod
	add := func(d deadPod) {
		r := s.backlog.Last(s.keyOf(d.revision))
		if r.Known && r.Err == nil && !s.now.Before(s.memory.retries[d.pod].at) {
			dead = append(dead, d)
		}
	}
	for pod, lost := range s.memory.lost {
		r := s.backlog.Last(s.keyOf(lost.revision)) // one from before its tasks were back says nothing of late ones
		late := r.ReadAt.After(lost.settled) && r.Depth.Held[pod] > 0
		if lost.settled.IsZero() || late {
			add(deadPod{pod: pod, revision: lost.revision, vanished: true})
		}
	}
	for _, pod := range s.pods {
		if fleet.Ended(pod) && !s.memory.settled[pod.Name] {
			add(deadPod{pod: pod.Name, revision: fleet.RevisionOf(pod)})
		}
	}
	slices.SortFunc(dead, func(a, b deadPod) int { return strings.Compare(a.pod, b.pod) })
	return dead
}

// awaitedLists are the pods that are gone and whose lists, among those of a watch, are looked at until nothing
// can turn up there any more. Those that could not be given back are retried by time, not by each reading.
func (s *scope) awaitedLists(key string) []string {
	var pods []string
	for pod, lost := range s.memory.lost {
		if _, retried := s.memory.retries[pod]; !retried && s.keyOf(lost.revision) == key {
			pods = append(pods, pod)
		}
	}
	return pods
}

// isSettled reports whether the tasks of a pod that has left are back, or nobody is to give them back. Where a
// sidecar still runs, the pod is deleted first and its tasks are given back once it is gone.
func (s *scope) isSettled(pod *corev1.Pod) bool {
	return !s.reclaims() || s.neverRead() || s.memory.settled[pod.Name] || !fleet.Ended(pod)
}

// triesBeforeRemoval is how often a broker may refuse to give a pod's tasks back before that is a condition, and
// before the pod is removed all the same.
const triesBeforeRemoval = 3

// mayGo reports whether a pod that has left may be removed. Where its tasks cannot be given back, it does not stay
// for that: pods that have ended would pile up. What it holds is in its list, which is known without it.
func (s *scope) mayGo(pod *corev1.Pod) bool {
	return s.isSettled(pod) || s.memory.retries[pod.Name].refused >= triesBeforeRemoval
}

// unreclaimed are the pods whose tasks the broker refuses to give back, and why it does for the first.
func (s *scope) unreclaimed() (pods []string, why error) {
	for _, pod := range slices.Sorted(maps.Keys(s.memory.retries)) {
		if r := s.memory.retries[pod]; r.refused >= triesBeforeRemoval {
			pods, why = append(pods, pod), cmp.Or(why, r.err)
		}
	}
	return pods, why
}

// holdup is why the tasks of dead workers are not back yet, nil where that is a matter of moments.
func (s *scope) holdup() error {
	if s.reading.Err != nil {
		return s.reading.Err
	}
	for _, pod := range slices.Sorted(maps.Keys(s.memory.lost)) { // some are of another queue or broker
		lost := s.memory.lost[pod]
		if err := s.backlog.Last(s.keyOf(lost.revision)).Err; err != nil && lost.settled.IsZero() {
			return err
		}
	}
	for _, pod := range slices.Sorted(maps.Keys(s.memory.retries)) { // always the same one: it is shown
		if err := s.memory.retries[pod].err; err != nil {
			return err
		}
	}
	return nil
}
