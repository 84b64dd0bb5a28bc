package planner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

const (
	// sparesBusyFor is how long an excess must have stood before workers that are known to be busy get
	// a grant for it: an idle one may turn up meanwhile.
	sparesBusyFor = 30 * time.Second
)

// shrink lets n of the pods leave. Pods that are not running are deleted outright; then grants go to pods that
// are neither ready nor busy, to pods of an outdated revision, to idle ones, and to the rest, the youngest first.
func (d *Decision) shrink(f Fleet, to target, n int) {
	if !f.DepthKnown {
		return
	}
	if d.ExcessSince = f.ExcessSince; d.ExcessSince.IsZero() {
		d.ExcessSince = f.Now
	}
	if f.withholds {
		return
	}
	sparesUntil := d.ExcessSince.Add(sparesBusyFor)
	why := f.needs() + "; 1 worker too many"
	if n > 1 {
		why = fmt.Sprintf("%s; %d workers too many", f.needs(), n)
	}
	left, staying, available := 0, 0, count(f.Pods, f.available)
	for _, p := range leaveOrder(to.pods, notOfRevision(to.revision)) {
		switch {
		case left == n:
			return
		case p.Stays:
			staying++
			continue
		case p.Phase == Pending:
			d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: why})
		case p.Work == Busy && f.Now.Before(sparesUntil):
			d.recheckAt(sparesUntil)
			continue
		case f.available(p) && d.spare(available, to.want) == 0:
			continue
		default:
			d.grant(f, p, contract.ReasonScaleDown, why+describeWork(p))
		}
		left++
	}
	d.Staying += min(staying, n-left)
}

// grant lets a pod leave.
func (d *Decision) grant(f Fleet, p Pod, reason contract.Reason, why string) {
	if f.available(p) {
		d.leaving++
	}
	kind := GrantLeave
	if p.Signalled {
		kind = SignalLeave
	}
	d.add(Action{Kind: kind, Pod: p.Name, Grant: reason, Why: why})
}

// spare is how many of the available pods there are beyond those that are needed, without those that were just
// let go.
func (d *Decision) spare(available, needed int) int { return max(available-d.leaving-needed, 0) }

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
