package planner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

const (
	// sparesBusyFor is how long an excess must have stood before workers that are known to be busy are
	// granted leave for it: an idle one may turn up meanwhile.
	sparesBusyFor = 30 * time.Second
	// keptFailures is how many failed pods stay for diagnosis.
	keptFailures = 3
)

// shrink lets n of the pods leave. Pods that are not running are deleted outright; then leave is granted
// to pods that are neither ready nor busy, to pods of an outdated revision, to idle ones, and to the rest, newest first. It returns how many of the n
// leave now.
func (d *Decision) shrink(f Fleet, pods []Pod, n int, outdated func(Pod) bool) int {
	if !f.DepthKnown || n <= 0 {
		return 0
	}
	if d.ExcessSince = f.ExcessSince; d.ExcessSince.IsZero() {
		d.ExcessSince = f.Now
	}
	sparesUntil := d.ExcessSince.Add(sparesBusyFor)
	why := fmt.Sprintf("%s, %d too many", needs(f.Desired), n)
	left := 0
	for _, p := range leaveOrder(pods, outdated) {
		switch {
		case left == n:
			return left
		case p.Phase == Pending:
			d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: why})
		case p.Work == Busy && f.Now.Before(sparesUntil):
			d.wakeAt(sparesUntil)
			continue
		case p.available() && d.spare(f) == 0:
			continue
		default:
			d.grant(p, contract.ReasonScaleDown, why+describeWork(p))
		}
		left++
	}
	return left
}

// grant lets a pod leave.
func (d *Decision) grant(p Pod, reason contract.Reason, why string) {
	if p.available() {
		d.leaving++
	}
	d.add(Action{Kind: GrantLeave, Pod: p.Name, Grant: reason, Why: why})
}

// spare is how many available pods there are beyond desired, without those that were just let go.
func (d *Decision) spare(f Fleet) int {
	return max(count(f.Pods, Pod.available)-d.leaving-f.Desired, 0)
}

// leaveOrder sorts pods by who leaves first.
func leaveOrder(pods []Pod, outdated func(Pod) bool) []Pod {
	rank := func(p Pod) int {
		switch {
		case p.Phase == Pending:
			return 0
		case p.idleUnready():
			return 1
		case outdated(p):
			return 2
		default:
			return 3
		}
	}
	return slices.SortedFunc(slices.Values(pods), func(a, b Pod) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(disturbance(a), disturbance(b)),
			b.Created.Compare(a.Created),
			cmp.Compare(a.Name, b.Name),
		)
	})
}

// disturbance orders work by what a departure would cost: unknown is not idle.
func disturbance(p Pod) int {
	switch p.Work {
	case Idle:
		return 0
	case Busy:
		return 2
	default:
		return 1
	}
}

func describeWork(p Pod) string {
	switch p.Work {
	case Idle:
		return "; it is idle"
	case Busy:
		return "; it leaves after its task"
	default:
		return ""
	}
}

// withdraw takes back up to n grants, busy holders first, and returns how many. It takes back grants for
// scale-down, and for a rollout only from pods of the revision that is wanted again.
func (d *Decision) withdraw(f Fleet, s sizing, n int) int {
	if !f.DepthKnown {
		return 0
	}
	holders := where(f.Pods, func(p Pod) bool {
		forgiven := p.Grant.Reason == contract.ReasonScaleDown || p.Grant.Reason == contract.ReasonRollout
		return forgiven && p.Revision == s.revision && p.Phase == Running && !overdue(f, p)
	})
	slices.SortFunc(holders, func(a, b Pod) int {
		return cmp.Or(
			cmp.Compare(disturbance(b), disturbance(a)),
			b.Grant.Since.Compare(a.Grant.Since),
			cmp.Compare(a.Name, b.Name),
		)
	})
	holders = holders[:min(n, len(holders))]
	for _, p := range holders {
		d.add(Action{Kind: WithdrawGrant, Pod: p.Name, Why: s.why + " again"})
	}
	return len(holders)
}

// endGrants deletes pods whose grant can no longer be used: those whose worker container is not running,
// and those that have held it for longer than a task may take.
func (d *Decision) endGrants(f Fleet) {
	for _, p := range where(f.Pods, func(p Pod) bool { return p.live() && p.granted() }) {
		switch {
		case p.Phase == Pending:
			d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: fmt.Sprintf("it has leave (%s) and is not running", p.Grant.Reason)})
		case overdue(f, p):
			d.add(Action{Kind: DeleteOverdue, Pod: p.Name, Why: fmt.Sprintf("it has had leave (%s) for longer than maxTaskDuration (%s)", p.Grant.Reason, f.MaxTaskDuration)})
		case f.MaxTaskDuration > 0 && !p.Grant.Since.IsZero():
			d.wakeAt(p.Grant.Since.Add(f.MaxTaskDuration))
		}
	}
}

// overdue grants have been held for longer than a task may take. One of which nobody knows since when, such as
// one that a person has given by hand, is not.
func overdue(f Fleet, p Pod) bool {
	return f.MaxTaskDuration > 0 && !p.Grant.Since.IsZero() && f.Now.Sub(p.Grant.Since) >= f.MaxTaskDuration
}

// removeLeft deletes the pods that have left and that nothing needs any more. The last few failed ones stay
// for diagnosis while the QWorker does, but for those of which a sidecar still runs: what their worker had in
// hand can only be given back once it is sure that nothing of the pod works on it.
func (d *Decision) removeLeft(f Fleet) {
	failed := where(f.Pods, func(p Pod) bool { return p.Phase == Left && p.Ended && !p.Failure.At.IsZero() })
	slices.SortFunc(failed, func(a, b Pod) int {
		return cmp.Or(b.Failure.At.Compare(a.Failure.At), cmp.Compare(a.Name, b.Name))
	})
	kept := map[string]bool{}
	if !f.Deleting {
		for _, p := range failed[:min(keptFailures, len(failed))] {
			kept[p.Name] = true
		}
	}
	for _, p := range f.Pods {
		if p.Phase == Left && p.Settled && !kept[p.Name] {
			d.add(Action{Kind: Remove, Pod: p.Name, Why: "it has left"})
		}
	}
}
