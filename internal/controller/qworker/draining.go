package qworker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// notHonouredAfter is how old a grant must be, in a fleet in which none was ever used, to say so.
const notHonouredAfter = 10 * time.Minute

// leaver is a worker that leaves once its task is done.
type leaver struct {
	name string
	// since is when it was told, zero where nobody knows: a person has given the grant by hand.
	since time.Time
	why   string
}

// bySIGTERM is why a worker leaves whose pod is being deleted.
const bySIGTERM = "SIGTERM"

func (s *scope) draining() condition {
	const kind = v1alpha1.ConditionDraining
	var holders []planner.Pod
	var leavers []leaver
	for i, p := range s.statesWithWork() {
		switch {
		case p.Grant.Reason != "" && p.Phase == planner.Running:
			holders = append(holders, p)
			leavers = append(leavers, leaver{p.Name, p.Grant.Since, string(p.Grant.Reason)})
		case p.Phase == planner.Terminating && fleet.Runs(s.pods[i], s.workerOf(s.pods[i])):
			leavers = append(leavers, leaver{p.Name, fleet.DeletedAt(s.pods[i]), bySIGTERM})
		}
	}
	ignoring := s.ignoring(holders)
	if len(leavers) == 0 {
		return is(kind, false, reasonNoGrants, "no worker has leave to go")
	}
	slices.SortStableFunc(leavers, func(a, b leaver) int {
		if a.since.IsZero() != b.since.IsZero() {
			return -a.since.Compare(b.since)
		}
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name, b.name))
	})
	names := make([]string, len(leavers))
	for i, l := range leavers {
		names[i] = l.name
	}
	oldest := leavers[0]
	since := "since when is not known"
	if !oldest.since.IsZero() {
		since = "the oldest since " + oldest.since.UTC().Format(time.RFC3339)
	}
	message := fmt.Sprintf("%s leave to go once their task is done: %s; %s (%s)",
		howMany(len(leavers), "worker has", "workers have"), andMore(names), since, oldest.why)
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
