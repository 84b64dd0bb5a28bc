package qworker

import (
	"slices"
	"time"
)

// postpone has the status wait for one round, with the events that go with it, where pods were made or let go and more
// QWorkers wait for their turn than have one at once. In a storm, in which a thousand queues burst together, a thousand
// pods then come before a thousand statuses; the QWorker comes again behind those that wait. What a later leader or a
// person must know does not wait: a revision that is published, what was refused, what was given back.
func (s *scope) postpone(failure error) bool {
	switch {
	case failure != nil, s.stalled != nil, s.deleting(), s.decision.Publish != "":
		return false
	case s.returned > 0, s.reclaimErr != nil, len(s.sizes.notes) > 0:
		return false
	case len(s.done) == 0, len(s.memory.untold) > 0: // those that wait have had their turn
		return false
	case s.wake.Waiting() <= parallelReconciles:
		return false
	}
	s.memory.untold = s.done
	return true
}

// postponedFor is when a QWorker whose status waits comes again at the latest. Mostly its pods wake it before.
func (s *scope) postponedFor() time.Duration {
	if next := s.requeueAfter(); next > 0 {
		return min(next, retryBase)
	}
	return retryBase
}

// recall adds what was done in a round whose status was postponed to what was done in this one.
func (s *scope) recall() {
	s.done = slices.Concat(s.memory.untold, s.done)
	s.memory.untold = nil
}
