package qworker

import (
	"maps"
	"slices"

	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/setback"
)

// write is one of those that concern the QWorker itself.
type write string

const (
	finalizerWrite write = "finalizers"
	statusWrite    write = "status"
)

// attempt makes a write, unless it has failed and its time has not come: it then fails as it did.
func (s *scope) attempt(w write, act func() error) error {
	return s.memory.setbacks.Attempt(s.clock, w, act)
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
		again := s.memory.refusals[hash].Again(s.clock.Now(), why)
		s.memory.refusals[hash] = again
		s.wakeAt(again.Until)
	}
	s.refused = slices.Concat(s.decision.Refused, slices.Sorted(maps.Keys(refused)))
	return rest
}

// setbacks has the revisions of which the last pod could not be created.
func (s *scope) setbacks() map[string]planner.Setback {
	setbacks := make(map[string]planner.Setback, len(s.memory.refusals))
	for hash, r := range s.memory.refusals {
		setbacks[hash] = planner.Setback{Until: r.Until, Refused: setback.Refused(r.Err)}
	}
	return setbacks
}

// refusalOf says why no pod of a revision can be created that is to be, nil where that is not so.
func (s *scope) refusalOf(hash string) error {
	if !slices.Contains(s.refused, hash) {
		return nil
	}
	return s.memory.refusals[hash].Err
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
		if fleet.IsQuota(r.Err) {
			r.Until = s.now
			s.memory.refusals[hash] = r
		}
	}
}
