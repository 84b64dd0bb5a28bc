package planner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

// withdraw withdraws up to n grants of pods of a revision that is wanted again, busy ones first, and returns how
// many.
func (d *Decision) withdraw(f Fleet, revision string, n int, why string) int {
	if !f.DepthKnown || n <= 0 {
		return 0
	}
	granted := f.withdrawable(revision)
	granted = granted[:min(n, len(granted))]
	for _, p := range granted {
		d.add(Action{Kind: WithdrawGrant, Pod: p.Name, Why: why + "; the worker is needed again"})
	}
	return len(granted)
}

// Obsolete reports whether the cause of a pod's grant is over: its revision is wanted again, or its node stays. Its
// work is then demand like any other's, and its grant is withdrawn first.
func (f Fleet) Obsolete(p Pod) bool {
	switch p.Grant.Reason {
	case contract.ReasonRollout:
		return p.Revision == f.Newest && p.outdated() == ""
	case contract.ReasonNodeDrain:
		return !p.NodeLeaving && !p.Unreachable && p.outdated() == ""
	default:
		return false
	}
}

// withdrawable are the pods of a revision whose grant can be withdrawn, busy ones first: for scale-down, for the
// rollout of a revision that has been rolled back since, and for a node that stays after all.
func (f Fleet) withdrawable(revision string) []Pod {
	granted := where(f.Pods, func(p Pod) bool {
		usable := p.Revision == revision && p.Phase == Running && !p.Unreachable && !p.Signalled && !overdue(f, p)
		switch p.Grant.Reason {
		case contract.ReasonScaleDown, contract.ReasonRollout, contract.ReasonNodeDrain:
			return usable && !p.NodeLeaving && p.outdated() == ""
		default:
			return false
		}
	})
	slices.SortFunc(granted, func(a, b Pod) int {
		return cmp.Or(
			cmp.Compare(disturbance(b), disturbance(a)),
			b.Grant.Since.Compare(a.Grant.Since),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return granted
}

// endGrants deletes pods whose grant can no longer be used: those whose worker container is not running,
// and those that have held it for longer than a task may take. While the queue cannot be read, a worker that is not
// reported to run may be at a task: it keeps its grant, unless the QWorker is being deleted and waits for it.
func (d *Decision) endGrants(f Fleet) {
	for _, p := range where(f.Pods, func(p Pod) bool { return p.live() && p.granted() }) {
		if p.Phase == Running && !p.DownSince.IsZero() {
			d.recheckAt(p.DownSince.Add(believedFor)) // should it still be down then, its grant is of no use
		}
		switch {
		case p.Phase == Pending && (f.withholds || !f.DepthKnown && !f.Deleting):
		case p.Stays && !f.Deleting:
		case p.Signalled && f.withholds && !f.Deleting:
		case p.Phase == Pending:
			d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: fmt.Sprintf("it has a grant (%s) and is not running", p.Grant.Reason)})
		case p.Signalled:
			d.grant(f, p, p.Grant.Reason, fmt.Sprintf("it has a grant (%s), and its worker knows SIGTERM alone", p.Grant.Reason))
		case overdue(f, p):
			d.add(Action{Kind: DeleteOverdue, Pod: p.Name, Why: fmt.Sprintf("it has had a grant (%s) for longer than maxTaskDuration (%s)", p.Grant.Reason, p.MaxTaskDuration)})
		case p.MaxTaskDuration > 0 && !p.Grant.Since.IsZero():
			d.recheckAt(dueAt(p))
		}
	}
}

// overdue grants have been held for longer than a task may take. A grant without a known time, such as one that a
// person has given by hand, is not overdue.
func overdue(f Fleet, p Pod) bool {
	return p.MaxTaskDuration > 0 && !p.Grant.Since.IsZero() && !f.Now.Before(dueAt(p))
}

// dueAt is when a pod will have held its grant for as long as it may, by the clock of whoever gave it and by the time
// that has passed in this process: a clock that was set forward must not end a task.
func dueAt(p Pod) time.Time {
	return latest(p.Grant.Since, p.Grant.Seen).Add(p.MaxTaskDuration)
}
