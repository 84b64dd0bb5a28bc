package qworker

import (
	"math/big"
	"time"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/planner"
)

const defaultScaleDownDelay = 30 * time.Second

// sizing is how many workers the queue asks for.
type sizing struct {
	// desired is within the range, and stabilised going down.
	desired int
	// excused is how many of desired are for messages that workers on their way out are busy with.
	excused int
	// limit says whether the range overrides what the queue asks for.
	limit planner.Limit
}

// sizeUp turns the reading into a number of workers. A failed read is not zero: the last good depth holds,
// and before the first one the last desired number does.
func (s *scope) sizeUp() {
	r := rangeOf(s.qw.Spec.ScaleConfig)
	m := s.memory
	if !m.seeded {
		m.seeded = true
		m.window.Add(s.now, int64(s.status.DesiredReplicas), s.scaleDownDelay())
		m.needs.Add(s.now, int64(s.status.DesiredReplicas), s.scaleDownDelay())
	}
	s.sized = true
	if !s.reading.Known {
		s.size.desired, _ = r.Clamp(int64(s.status.DesiredReplicas))
		return
	}
	wanted := demand(s.reading.Depth, s.excused())
	highest, falls := m.window.Add(s.now, r.Asked(wanted), s.scaleDownDelay())
	s.wakeAt(falls)
	s.size.desired, s.size.limit = r.Clamp(highest)

	held := s.reading.Depth.Waiting + s.reading.Depth.InFlight - wanted
	if let := held - m.held; m.held >= 0 && let > 0 {
		m.needs.Excuse(r.Asked(wanted+let) - r.Asked(wanted))
	}
	m.held = held
	highest, _ = m.needs.Add(s.now, r.Asked(wanted), s.scaleDownDelay())
	needed, _ := r.Clamp(highest)
	s.size.excused = max(s.size.desired-needed, 0)
}

func (s *scope) scaleDownDelay() time.Duration {
	if d := s.qw.Spec.ScaleConfig.ScaleDownDelay; d != nil {
		return d.Duration
	}
	return defaultScaleDownDelay
}

func rangeOf(c v1alpha1.ScaleConfig) planner.Range {
	r := planner.Range{Min: int(c.MinReplicas), Max: int(c.MaxReplicas), PerMessage: big.NewRat(1, 1)}
	switch {
	case c.MessagesPerWorker != nil:
		r.PerMessage = big.NewRat(1, int64(*c.MessagesPerWorker))
	case c.ScalingFactor != nil:
		if exact, ok := new(big.Rat).SetString(c.ScalingFactor.AsDec().String()); ok {
			r.PerMessage = exact
		}
	}
	return r
}

// demand is the number of messages that ask for a worker: all, but for those that a worker on its way out
// is busy with, because they need no other.
func demand(d broker.Depth, excused map[string]bool) int64 {
	messages := d.Waiting + d.InFlight
	for worker := range excused {
		messages -= d.Held[worker]
	}
	return messages
}

// excused are the workers that are on their way out: terminating, let go by the present decision, or granted leave
// for a reason that still holds. Those that have left on a grant are among them, and those whose tasks were given
// back: a reading that has them at a task is older than that.
func (s *scope) excused() map[string]bool {
	excused := map[string]bool{}
	var f planner.Fleet
	if s.newest != nil {
		f.Newest = s.newest.Hash
	}
	for _, p := range s.states {
		granted := p.Phase == planner.Running && p.Grant.Reason != "" && !f.Void(p)
		departed := p.Phase == planner.Left && p.Grant.Reason != "" && p.Failure.At.IsZero()
		if p.Phase == planner.Terminating || granted || departed {
			excused[p.Name] = true
		}
	}
	for pod, lost := range s.memory.lost {
		if !lost.settled.IsZero() {
			excused[pod] = true
		}
	}
	for _, a := range s.decision.Actions {
		if a.Kind == planner.GrantLeave || a.Kind == planner.SignalLeave {
			excused[a.Pod] = true
		}
	}
	return excused
}
