package planner

import (
	"fmt"
	"slices"

	"github.com/quickube/qscaler/worker/contract"
)

// turnover is a fleet in which some pods give way to others, because they are of an outdated revision,
// because their node is being drained, or because what they were made with is outdated.
type turnover struct {
	// pods are those of the fleet, all of them capacity.
	pods     []Pod
	givesWay func(Pod) bool
	// want is how many pods that do not give way there shall be in the end.
	want int
	// revision is the one that new pods are made of.
	revision string
	// beside is how many other pods there are, in the surge or in places of the fleet.
	beside int
	// makesRoom is true where one of the fleet's workers leaves next, to make room for a canary: who came back would be
	// one more to leave.
	makesRoom bool
}

// turnOver scales the fleet, within the surge, and lets pods that give way leave as others become available.
// It returns how many of the fleet's pods stay for now; those that are too many are gone in the next step.
func (d *Decision) turnOver(f Fleet, t turnover) int {
	leaving, staying := where(t.pods, t.givesWay), where(t.pods, not(t.givesWay))
	waiting := len(leaving) - d.replace(f, leaving, t.revision)

	// Those that stay and work elsewhere take nobody's place: they do nothing of what is asked for here.
	room := f.Desired - len(staying) - max(waiting-count(leaving, func(p Pod) bool { return p.Stays && p.Elsewhere }), 0) - t.beside
	if surge, _ := f.budget(); (waiting > 0 && f.DepthKnown) || t.beside > 0 {
		room += surge
	}
	why := f.needs()
	if len(leaving) > 0 {
		why = giveWay(leaving[0], t.revision)
	}
	back := d.comeBack(f, staying, t)
	d.scale(f, target{pods: staying, want: t.want, room: room, revision: t.revision, why: why})
	return waiting + len(staying) + back
}

func giveWay(p Pod, revision string) string {
	switch {
	case p.Revision == revision && p.NodeLeaving:
		return "a node is being drained"
	case p.Revision == revision:
		return p.outdated()
	}
	return fmt.Sprintf("revision %s takes over", revision)
}

// replace lets pods leave for which another is available, idle ones first, and those that are of no use at
// once. It returns how many.
func (d *Decision) replace(f Fleet, leaving []Pod, revision string) int {
	if !f.letsGo() {
		return 0
	}
	_, unavailable := f.budget()
	needed := f.Desired - unavailable
	// Those that are not ready and may be at a task all the same pace the rollout as available ones do. They do not
	// make up for an available one: each of those has to be spare among its likes.
	hidden := func(p Pod) bool { return p.Phase == Running && !f.available(p) && !p.idleUnready() }
	left, hiddenLeft, available := 0, 0, count(f.Pods, f.available)
	presumed := available + count(leaving, hidden)
	for _, p := range leaveOrder(leaving, ofRevision(f.Published)) {
		switch {
		case p.Stays:
			d.Staying++
			continue
		case f.available(p) && d.spare(available, needed)-hiddenLeft <= 0:
			continue
		case hidden(p) && d.spare(presumed, needed)-hiddenLeft <= 0:
			continue
		case hidden(p):
			hiddenLeft++
		}
		switch {
		case p.NodeLeaving && (p.Revision == revision || f.standsStill()):
			d.retire(f, p, contract.ReasonNodeDrain, "its node is being drained")
		case p.Revision == revision:
			d.retire(f, p, contract.ReasonRollout, p.outdated()+" since it was made")
		default:
			d.retire(f, p, contract.ReasonRollout, fmt.Sprintf("revision %s takes the place of %s", revision, p.Revision))
		}
		left++
	}
	return left
}

// retire makes room for another pod.
func (d *Decision) retire(f Fleet, p Pod, reason contract.Reason, why string) {
	if p.Phase == Pending {
		d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: why})
		return
	}
	d.grant(f, p, reason, why+describeWork(p))
}

// comeBack withdraws the grants of pods whose node stays after all, though they have been replaced meanwhile,
// where others leave in their place: a task that is under way needs no second worker. It returns how many.
func (d *Decision) comeBack(f Fleet, staying []Pod, t turnover) int {
	present := len(staying)
	// Whoever is missing is taken back by scale, and the place that a worker has left to a canary is the canary's. A step
	// that publishes is the plan's last.
	if !f.letsGo() || present < f.Desired || t.makesRoom || d.Publish != "" {
		return 0
	}
	for _, p := range f.withdrawable(t.revision) {
		if p.Grant.Reason != contract.ReasonNodeDrain || !f.steady(p) {
			continue
		}
		back := p
		back.Grant = Grant{}
		pool := append(slices.Clone(staying), back)
		spare := count(f.Pods, f.available) + 1 - d.leaving - f.Desired
		leavers := where(leaveOrder(pool, notOfRevision(t.revision)), func(q Pod) bool {
			return !q.Stays && (q.Phase == Pending || (q.Work != Busy && (!f.available(q) || spare > 0)))
		})
		excess := len(pool) - t.want
		if len(leavers) < excess || slices.ContainsFunc(leavers[:excess], func(q Pod) bool { return q.Name == p.Name }) {
			continue
		}
		d.add(Action{Kind: WithdrawGrant, Pod: p.Name, Why: "its node stays"})
		staying = pool
	}
	return len(staying) - present
}
