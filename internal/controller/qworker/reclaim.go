package qworker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/revision"
)

// parallelReclaims bounds how many lists are given back at once.
const parallelReclaims = 32

// giveBack returns the tasks of workers that are no more to their queue: of pods whose containers have all
// ended, before those are removed, and of pods that are gone. A dead worker is known by its pod, never by a
// timer, so nothing here can take a task from a worker that is alive but slow.
func (s *scope) giveBack(ctx context.Context) {
	s.trackPods()
	if !s.reclaims() {
		clear(s.memory.lost)
		return
	}
	s.findStrays()
	dead := s.deadPods()
	if len(dead) == 0 || !s.depthKnown() {
		return
	}
	var (
		mu    sync.Mutex
		errs  []error
		group errgroup.Group
	)
	group.SetLimit(parallelReclaims)
	for pod, hash := range dead {
		group.Go(func() error {
			moved, err := s.reclaim(ctx, pod, hash)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, errStillThere):
			case err != nil:
				errs = append(errs, err)
			default:
				s.noteReclaimed(pod)
				s.returned += moved
			}
			return nil
		})
	}
	_ = group.Wait()
	if len(errs) > 0 {
		s.reclaimErr = errs[0]
	}
}

func (s *scope) noteReclaimed(pod string) {
	if lost, vanished := s.memory.lost[pod]; vanished {
		lost.settled = s.now
		s.memory.lost[pod] = lost
		return
	}
	s.memory.settled[pod] = true
}

// errStillThere is returned for a pod that the cache no longer shows and the API server does.
var errStillThere = errors.New("the pod is still there")

func (s *scope) reclaim(ctx context.Context, pod, hash string) (int64, error) {
	if _, vanished := s.memory.lost[pod]; vanished {
		gone, err := s.fleets.Gone(ctx, s.qw.Namespace, pod)
		if err != nil {
			return 0, err
		}
		if !gone {
			return 0, errStillThere
		}
	}
	moved, err := s.backlog.Reclaim(ctx, s.keyOf(hash), pod)
	if errors.Is(err, errors.ErrUnsupported) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("giving the tasks of pod %s back to the queue, %w", pod, err)
	}
	return moved, nil
}

// reclaims reports whether the tasks of dead workers are ours to give back.
func (s *scope) reclaims() bool {
	if s.config == nil {
		return false
	}
	reclaim := s.config.Spec.Config.Reclaim
	return reclaim == nil || *reclaim
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
		lost := lostPod{revision: hash}
		if m.settled[pod] {
			delete(m.settled, pod)
			lost.settled = s.now
		}
		m.lost[pod] = lost
	}
	for pod, lost := range m.lost {
		if lost.settled.IsZero() {
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

// findStrays looks, once in the life of this process, for processing lists of pods that it never saw.
func (s *scope) findStrays() {
	if s.memory.strays || !s.depthKnown() {
		return
	}
	pods, known := s.backlog.Strays(s.mainKey(), revision.NamePrefix(s.qw))
	if !known {
		return
	}
	s.memory.strays = true
	for _, pod := range pods {
		if _, present := s.memory.seen[pod]; !present {
			s.memory.lost[pod] = lostPod{revision: s.queueRevision().Hash}
		}
	}
}

// deadPods are the pods whose tasks must be given back, with their revision.
func (s *scope) deadPods() map[string]string {
	dead := map[string]string{}
	for pod, lost := range s.memory.lost {
		if lost.settled.IsZero() || s.reading.Depth.Held[pod] > 0 {
			dead[pod] = lost.revision
		}
	}
	for _, pod := range s.pods {
		if fleet.Ended(pod) && !s.memory.settled[pod.Name] {
			dead[pod.Name] = fleet.RevisionOf(pod)
		}
	}
	return dead
}

// isSettled reports whether nothing needs a pod that has left any more. Where a sidecar still runs, the pod
// is deleted first and its tasks are given back once it is gone.
func (s *scope) isSettled(pod *corev1.Pod) bool {
	return !s.reclaims() || s.memory.settled[pod.Name] || !fleet.Ended(pod)
}
