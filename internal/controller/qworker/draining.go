package qworker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
)

// notHonouredAfter is how old a grant must be, in a fleet in which none was ever used, to say so.
const notHonouredAfter = 10 * time.Minute

func (s *scope) draining() condition {
	const kind = v1alpha1.ConditionDraining
	var holders []planner.Pod
	for _, p := range s.statesWithWork() {
		if p.Grant.Reason != "" && p.Phase == planner.Running {
			holders = append(holders, p)
		}
	}
	ignoring := s.ignoring(holders)
	if len(holders) == 0 {
		return is(kind, false, reasonNoGrants, "no worker has leave to go")
	}
	// Of a grant that a person has given by hand nobody knows how old it is: those come last.
	slices.SortStableFunc(holders, func(a, b planner.Pod) int {
		if a.Grant.Since.IsZero() != b.Grant.Since.IsZero() {
			return -a.Grant.Since.Compare(b.Grant.Since)
		}
		return cmp.Or(a.Grant.Since.Compare(b.Grant.Since), cmp.Compare(a.Name, b.Name))
	})
	names := make([]string, len(holders))
	for i, p := range holders {
		names[i] = p.Name
	}
	oldest := holders[0]
	since := "since when is not known"
	if !oldest.Grant.Since.IsZero() {
		since = "the oldest since " + oldest.Grant.Since.UTC().Format(time.RFC3339)
	}
	message := fmt.Sprintf("%s leave to go once their task is done: %s; %s (%s)",
		howMany(len(holders), "worker has", "workers have"), andMore(names), since, oldest.Grant.Reason)
	if ignoring {
		return is(kind, true, reasonNotHonoured, message+
			". No worker of this QWorker has ever left on a grant: a worker must exit with 0 once /etc/qscaler/drain is not empty. If yours shuts down well on SIGTERM instead, set spec.drain.mode: Signal. To let go now, delete the pods; they get SIGTERM and their grace period")
	}
	return is(kind, true, reasonWaiting, message)
}

// ignoring reports whether a worker has had leave for long and does not seem to know, in a fleet in which none has
// ever left on a grant. One that is known to be busy finishes its task, as it should, and has its time from then on.
func (s *scope) ignoring(holders []planner.Pod) bool {
	before := s.memory.busyHolders
	s.memory.busyHolders = nil
	if s.status.LastDepartureTime != nil {
		return false
	}
	busy := map[string]time.Time{}
	ignoring := false
	for _, p := range holders {
		since := p.Grant.Since
		if last, seen := before[p.Name]; seen {
			busy[p.Name], since = last, last
		}
		switch at := since.Add(notHonouredAfter); {
		case p.Work == planner.Busy:
			busy[p.Name] = s.now
		case since.IsZero():
		case s.now.Before(at):
			s.wakeAt(at)
		default:
			ignoring = true
		}
	}
	s.memory.busyHolders = busy
	return ignoring
}
