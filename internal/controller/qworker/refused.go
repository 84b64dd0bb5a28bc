package qworker

import (
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// refusal is why the last pod of a revision could not be created, and when the next is tried. A refusal holds
// back its revision alone, whatever else wakes the QWorker: what refuses one pod refuses the next, and the
// queue of a fleet that cannot grow is a busy one.
type refusal struct {
	retry
	err error
}

// write is one of those that concern the QWorker itself.
type write string

const (
	finalizerWrite write = "finalizers"
	statusWrite    write = "status"
)

// attempt makes a write, unless it has failed and its time has not come: it then fails as it did.
func (s *scope) attempt(w write, act func() error) error {
	last := s.memory.setbacks[w]
	if s.clock.Now().Before(last.at) {
		return last.err
	}
	err := act()
	if err == nil || apierrors.IsConflict(err) {
		delete(s.memory.setbacks, w)
		return err
	}
	delay := fleet.NextPause(last.delay, err)
	s.memory.setbacks[w] = retry{delay: delay, at: s.clock.Now().Add(delay), err: err}
	return err
}

// noteCreations remembers which revisions the API server refuses pods of, and forgets it with the first that
// is created. It returns the errors that are not about creations.
func (s *scope) noteCreations(err error) error {
	for _, a := range s.done {
		if a.Kind == planner.Create {
			delete(s.memory.refusals, a.Revision)
		}
	}
	refused, rest := fleet.SplitCreateErrors(err)
	for hash, why := range refused {
		delay := fleet.NextPause(s.memory.refusals[hash].delay, why)
		at := s.clock.Now().Add(delay)
		s.memory.refusals[hash] = refusal{retry{delay: delay, at: at}, why}
		s.wakeAt(at)
	}
	s.refused = slices.Concat(s.decision.Refused, slices.Sorted(maps.Keys(refused)))
	return rest
}

// refusedUntil is when the next pod of each revision may be tried.
func (s *scope) refusedUntil() map[string]time.Time {
	until := make(map[string]time.Time, len(s.memory.refusals))
	for hash, r := range s.memory.refusals {
		until[hash] = r.at
	}
	return until
}

// refusalOf says why no pod of a revision can be created that is to be, nil where that is not so.
func (s *scope) refusalOf(hash string) error {
	if !slices.Contains(s.refused, hash) {
		return nil
	}
	return s.memory.refusals[hash].err
}

// fleetRefusal says why the fleet cannot grow: a canary that is refused is the rollout's trouble.
func (s *scope) fleetRefusal() error {
	for _, hash := range s.refused {
		if s.decision.Stage == planner.Canary && s.newest != nil && hash == s.newest.Hash {
			continue
		}
		return s.refusalOf(hash)
	}
	return nil
}

// retryQuotas tries those revisions again at once that were refused for a quota: a pod is gone, and may have
// made room.
func (s *scope) retryQuotas() {
	for hash, r := range s.memory.refusals {
		if fleet.IsQuota(r.err) {
			r.at = s.now
			s.memory.refusals[hash] = r
		}
	}
}
