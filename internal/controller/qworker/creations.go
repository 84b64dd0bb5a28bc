package qworker

import (
	"maps"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// creations has, by revision, why the last pod could not be created, and when the next is tried. A failure holds back its
// revision alone, whatever else wakes the QWorker: what refuses one pod refuses the next, and the queue of a fleet that
// cannot grow is a busy one.
type creations map[string]backoff.State

// note remembers of which revisions no pod could be created, and forgets it with the first that is created. It
// returns those that failed now, when the first of them is tried again, and the errors that are not about
// creations.
func (c creations) note(now time.Time, done []planner.Action, err error) (uncreated []string, next time.Time, rest error) {
	for _, a := range done {
		if a.Kind == planner.Create {
			delete(c, a.Revision)
		}
	}
	failed, rest := fleet.SplitCreateErrors(err)
	for hash, why := range failed {
		again := c[hash].Failed(now, fleet.WriteBackoff(why), why)
		if c[hash] = again; next.IsZero() || again.Until.Before(next) {
			next = again.Until
		}
	}
	return slices.Sorted(maps.Keys(failed)), next, rest
}

// failed has the revisions of which the last pod could not be created.
func (c creations) failed() map[string]planner.FailedCreation {
	failed := make(map[string]planner.FailedCreation, len(c))
	for hash, state := range c {
		failed[hash] = planner.FailedCreation{RetryAt: state.Until, Refused: fleet.Refused(state.Err)}
	}
	return failed
}

// retryQuotas tries those revisions again at once that were refused for a quota: a pod is gone, and may have made room.
func (c creations) retryQuotas(now time.Time) {
	for hash, state := range c {
		if fleet.IsQuota(state.Err) {
			state.Until = now
			c[hash] = state
		}
	}
}

// forget drops what is remembered of revisions that are gone.
func (c creations) forget(known *revisions) {
	maps.DeleteFunc(c, func(hash string, _ backoff.State) bool { return known.of(hash) == nil })
}

// blocking says why the fleet cannot grow, of revisions without new pods, nil where it can: a canary that cannot be created is
// the rollout's trouble.
func (c creations) blocking(uncreated []string, canary string) error {
	for _, hash := range uncreated {
		if hash != canary {
			return c[hash].Err
		}
	}
	return nil
}
