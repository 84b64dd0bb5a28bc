package planner

import (
	"fmt"
	"slices"

	"github.com/quickube/qscaler/worker/contract"
)

// Stage is where a fleet stands between two revisions.
type Stage string

// The stages.
//
//	           spec changes        a canary is ready           the last old pod has leave
//	Settled ----------------> Canary --------------> Rolling ------------------------> Settled
//	    \___________________________________________/
//	      no pods, or no proven revision to protect
const (
	// Settled means that every worker is of the newest revision.
	Settled Stage = "Settled"
	// Canary means that the newest revision has yet to prove itself: the fleet scales on the published
	// one, and a few pods of the newest run beside it.
	Canary Stage = "Canary"
	// Rolling means that pods of the newest revision, which is published, take the places of older ones.
	Rolling Stage = "Rolling"
)

// surgePercent is how much larger than desired the fleet may be while a revision is rolled out.
const surgePercent = 25

func stageOf(f Fleet) Stage {
	older := count(f.Pods, func(p Pod) bool { return p.capacity() && p.Revision != f.Newest })
	switch {
	case older == 0:
		return Settled
	case f.Published != f.Newest && f.Published != "" && f.Proven:
		return Canary
	default:
		return Rolling
	}
}

// surge is how many pods may run beyond desired during a rollout, rounded up as a Deployment's maxSurge is.
func surge(desired int) int { return (desired*surgePercent + 99) / 100 }

// tryCanary scales the old fleet as if nothing had changed, and runs a few pods of the newest revision
// beside it. The newest is published once one of them is ready: a broken image must not empty a fleet.
func (d *Decision) tryCanary(f Fleet) {
	capacity := where(f.Pods, Pod.capacity)
	fleet := where(capacity, notOfRevision(f.Newest))
	canaries := where(capacity, ofRevision(f.Newest))

	if ready := where(canaries, Pod.available); len(ready) > 0 {
		d.Publish = f.Newest
		d.ExcessSince = f.ExcessSince
		return
	}
	tried := len(canaries) - d.recall(f, canaries, len(canaries)-surge(f.Desired))
	staying := len(fleet) - d.resize(f, sizing{
		pods: fleet, want: f.Desired, room: f.Desired + surge(f.Desired) - len(fleet) - tried,
		revision: f.Published, why: needs(f.Desired),
	})
	room := surge(f.Desired) - tried - max(staying-f.Desired, 0)
	d.create(f, f.Newest, room, fmt.Sprintf("revision %s is tried beside revision %s", f.Newest, f.Published))
}

// dropUnproven lets pods go that are of neither the published nor the newest revision and are of no use: a
// change that was corrected before it ever worked must not take the places of workers. It reports whether
// there were any.
func (d *Decision) dropUnproven(f Fleet) bool {
	useless := where(f.Pods, func(p Pod) bool {
		abandoned := p.capacity() && p.Revision != f.Published && p.Revision != f.Newest
		return abandoned && f.DepthKnown && (p.Phase == Pending || p.idleUnready())
	})
	for _, p := range useless {
		d.retire(p, fmt.Sprintf("revision %s was never proven and is no longer wanted", p.Revision))
	}
	return len(useless) > 0
}

// recall lets n canaries leave, none of which is ready, because the surge has become smaller.
func (d *Decision) recall(f Fleet, canaries []Pod, n int) int {
	if !f.DepthKnown || n <= 0 {
		return 0
	}
	why := fmt.Sprintf("%s, which makes %d canaries too many", needs(f.Desired), n)
	for _, p := range leaveOrder(canaries, notOfRevision(f.Newest))[:n] {
		d.retire(p, why)
	}
	return n
}

// retire makes room for a pod of another revision.
func (d *Decision) retire(p Pod, why string) {
	if p.Phase == Pending {
		d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: why})
		return
	}
	d.grant(p, contract.ReasonRollout, why+describeWork(p))
}

// rollOn scales the newest revision to desired, within the surge, and lets older pods leave as newer ones
// become ready. Without older pods it is plain scaling.
func (d *Decision) rollOn(f Fleet) {
	capacity := where(f.Pods, Pod.capacity)
	newer := where(capacity, ofRevision(f.Newest))
	older := where(capacity, notOfRevision(f.Newest))
	staying := len(older) - d.replace(f, older)

	room := f.Desired - len(newer) - staying
	if staying > 0 && f.DepthKnown {
		room += surge(f.Desired)
	}
	why := needs(f.Desired)
	if len(older) > 0 {
		why = fmt.Sprintf("revision %s takes over", f.Newest)
	}
	d.resize(f, sizing{pods: newer, want: f.Desired, room: room, revision: f.Newest, why: why})
}

// replace lets older pods leave for which a newer one is ready, idle ones first, and those that are of no
// use at once. It returns how many.
func (d *Decision) replace(f Fleet, older []Pod) int {
	if !f.DepthKnown {
		return 0
	}
	busyUnready := 0
	left := 0
	for _, p := range leaveOrder(older, ofRevision(f.Published)) {
		atWork := p.Phase == Running && !p.idleUnready()
		if atWork && d.spare(f)-busyUnready <= 0 {
			continue
		}
		if atWork && !p.available() {
			busyUnready++ // it paces the rollout as one that is available does
		}
		d.retire(p, fmt.Sprintf("revision %s takes the place of %s", f.Newest, p.Revision))
		left++
	}
	return left
}

// OlderThan lists the names of live pods of other revisions than the newest, granted ones included.
func (f Fleet) OlderThan(newest string) []string {
	var names []string
	for _, p := range f.Pods {
		if p.live() && p.Revision != newest {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}
