package planner

import (
	"fmt"
	"slices"

	"github.com/quickube/qscaler/worker/contract"
)

// tryCanary scales the old fleet as if nothing had changed, and runs a few pods of the newest revision
// beside it. The newest is published once one of them is available: a broken image must not empty a fleet.
func (d *Decision) tryCanary(f Fleet) {
	capacity := where(f.Pods, Pod.capacity)
	fleet := where(capacity, notOfRevision(f.Newest))
	canaries := where(capacity, ofRevision(f.Newest))
	if !f.Rollout.Paused && slices.ContainsFunc(canaries, f.available) {
		d.Publish = f.Newest
		d.ExcessSince = f.ExcessSince
		return
	}
	places := f.canaryPlaces(fleet, canaries)
	tried := len(canaries) - d.recall(f, canaries, len(canaries)-places)
	want := f.Desired
	if surge, _ := f.budget(); surge == 0 && places > 0 {
		fleet, want, places = d.makeRoom(f, fleet, tried)
	}
	staying := d.turnOver(f, turnover{
		pods: fleet, givesWay: nodeLeaving, revision: f.Published, want: want, beside: tried,
	})
	room := places - tried - max(staying-want, 0)
	room -= d.withdraw(f, f.Newest, room, fmt.Sprintf("revision %s is wanted", f.Newest))
	d.create(f, f.Newest, room, fmt.Sprintf("revision %s is tried beside revision %s", f.Newest, f.Published))
}

// canaryPlaces is how many canaries there may be: they are within the surge, and where there is none one worker
// makes room. Pods whose node is to go need the surge more urgently. Where no worker is wanted, none is tried.
func (f Fleet) canaryPlaces(fleet, canaries []Pod) int {
	if f.Desired == 0 {
		return 0
	}
	surge, _ := f.budget()
	places := max(surge, 1)
	places = max(places-count(fleet, nodeLeaving), 0)
	if f.Rollout.Paused {
		return min(places, len(canaries))
	}
	return places
}

// makeRoom gives a canary one of the fleet's places: the canary's own, one that is empty, or that of a worker
// that leaves for it, idle ones first. It returns who stays, how many there shall be, and how many places there
// are.
func (d *Decision) makeRoom(f Fleet, fleet []Pod, tried int) (staying []Pod, want, places int) {
	if tried > 0 || len(fleet) < f.Desired {
		return fleet, f.Desired - 1, 1
	}
	if !f.DepthKnown || len(fleet) > f.Desired {
		return fleet, f.Desired, 0
	}
	_, unavailable := f.budget()
	available := count(f.Pods, f.available)
	for _, p := range leaveOrder(fleet, notOfRevision(f.Published)) {
		if f.available(p) && d.spare(available, f.Desired-unavailable) == 0 {
			continue
		}
		d.retire(f, p, contract.ReasonRollout, fmt.Sprintf("it makes room to try revision %s", f.Newest))
		return where(fleet, func(q Pod) bool { return q.Name != p.Name }), f.Desired - 1, 1
	}
	return fleet, f.Desired, 0
}

// clearTheWay lets those pods go that must not stand in a canary's way: of neither the published nor the newest
// revision and of no use, because a change that was corrected before it ever worked must not take the places of
// workers; and those whose node is to go, as far as others are available. It reports whether there were any.
func (d *Decision) clearTheWay(f Fleet) bool {
	if !f.DepthKnown {
		return false
	}
	useless := where(f.Pods, func(p Pod) bool {
		abandoned := p.capacity() && p.Revision != f.Published && p.Revision != f.Newest
		return abandoned && (p.Phase == Pending || p.idleUnready())
	})
	for _, p := range useless {
		d.retire(f, p, contract.ReasonRollout, fmt.Sprintf("revision %s was never proven and is no longer wanted", p.Revision))
	}
	displaced := where(f.Pods, func(p Pod) bool {
		used := p.Revision == f.Published || (p.Phase == Running && !p.idleUnready())
		return p.capacity() && p.NodeLeaving && p.Revision != f.Newest && used
	})
	return d.replace(f, displaced, f.Published)+len(useless) > 0
}

// recall lets up to n canaries leave because there is no room for them any more, and returns how many. Only while
// the rollout is paused can one of them be available.
func (d *Decision) recall(f Fleet, canaries []Pod, n int) int {
	if !f.DepthKnown || n <= 0 {
		return 0
	}
	_, unavailable := f.budget()
	why := fmt.Sprintf("%s, which makes %d canaries too many", needs(f.Desired), n)
	left, available := 0, count(f.Pods, f.available)
	for _, p := range leaveOrder(canaries, notOfRevision(f.Newest)) {
		if left == n {
			break
		}
		if f.available(p) && d.spare(available, f.Desired-unavailable) == 0 {
			continue
		}
		d.retire(f, p, contract.ReasonRollout, why)
		left++
	}
	return left
}
