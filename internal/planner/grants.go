package planner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

// withdraw takes back up to n grants of pods of a revision that is wanted again, busy holders first, and
// returns how many.
func (d *Decision) withdraw(f Fleet, revision string, n int, why string) int {
	if !f.DepthKnown || n <= 0 {
		return 0
	}
	holders := f.forgiven(revision)
	holders = holders[:min(n, len(holders))]
	for _, p := range holders {
		d.add(Action{Kind: WithdrawGrant, Pod: p.Name, Why: why + " again"})
	}
	return len(holders)
}

// Void reports whether what a pod was granted leave for is no more: its revision has been rolled back to, or its node
// stays after all. Its work is then demand like any other's, and it is the first to be taken back.
func (f Fleet) Void(p Pod) bool {
	switch p.Grant.Reason {
	case contract.ReasonRollout:
		return p.Revision == f.Newest
	case contract.ReasonNodeDrain:
		return !p.NodeLeaving && !p.Lost
	default:
		return false
	}
}

// forgiven are the pods of a revision whose grant can be taken back, busy ones first: for scale-down, for the
// rollout of a revision that has been rolled back since, and for a node that stays after all.
func (f Fleet) forgiven(revision string) []Pod {
	holders := where(f.Pods, func(p Pod) bool {
		usable := p.Revision == revision && p.Phase == Running && !p.Lost && !p.Signalled && !p.Grant.fresh && !overdue(f, p)
		switch p.Grant.Reason {
		case contract.ReasonScaleDown, contract.ReasonRollout, contract.ReasonNodeDrain:
			return usable && !p.NodeLeaving
		default:
			return false
		}
	})
	slices.SortFunc(holders, func(a, b Pod) int {
		return cmp.Or(
			cmp.Compare(disturbance(b), disturbance(a)),
			b.Grant.Since.Compare(a.Grant.Since),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return holders
}

// endGrants deletes pods whose grant can no longer be used: those whose worker container is not running,
// and those that have held it for longer than a task may take.
func (d *Decision) endGrants(f Fleet) {
	for _, p := range where(f.Pods, func(p Pod) bool { return p.live() && p.granted() }) {
		switch {
		case p.Phase == Pending:
			d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: fmt.Sprintf("it has leave (%s) and is not running", p.Grant.Reason)})
		case p.Signalled:
			d.grant(f, p, p.Grant.Reason, fmt.Sprintf("it has leave (%s), and its worker knows SIGTERM alone", p.Grant.Reason))
		case overdue(f, p):
			d.add(Action{Kind: DeleteOverdue, Pod: p.Name, Why: fmt.Sprintf("it has had leave (%s) for longer than maxTaskDuration (%s)", p.Grant.Reason, p.MaxTaskDuration)})
		case p.MaxTaskDuration > 0 && !p.Grant.Since.IsZero():
			d.wakeAt(dueAt(p))
		}
	}
}

// overdue grants have been held for longer than a task may take. One of which nobody knows since when, such as
// one that a person has given by hand, is not.
func overdue(f Fleet, p Pod) bool {
	return p.MaxTaskDuration > 0 && !p.Grant.Since.IsZero() && !f.Now.Before(dueAt(p))
}

// dueAt is when a pod will have held its grant for as long as it may, by the clock of whoever gave it and by the time
// that has passed in this process: a clock that was set forward must not end a task.
func dueAt(p Pod) time.Time {
	due := p.Grant.Since.Add(p.MaxTaskDuration)
	if seen := p.Grant.Seen.Add(p.MaxTaskDuration); !p.Grant.Seen.IsZero() && seen.After(due) {
		return seen
	}
	return due
}
