package planner

import (
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

// tryCanary scales the old fleet as if nothing had changed, and runs a few pods of the newest revision
// beside it. The newest is published once one of them is available, or has done a task and ended by itself: a broken
// image must not empty a fleet.
func (d *Decision) tryCanary(f Fleet) {
	capacity := where(f.Pods, Pod.capacity)
	fleet := where(capacity, func(p Pod) bool { return p.Revision != f.Newest && !f.supersededElsewhere(p) })
	canaries := where(capacity, ofRevision(f.Newest))
	if !f.standsStill() && (f.did(f.Newest) || slices.ContainsFunc(canaries, f.available)) {
		d.Publish = f.Newest
		d.ExcessSince = f.ExcessSince
		return
	}
	places, beyond := d.canaryPlaces(f, fleet, canaries)
	d.shrinkCanaries(f, canaries, len(canaries)-places)
	tried := len(canaries) // the next step sees those that go
	leaving, want, slack := count(fleet, f.displaced), f.Desired, f.slack()
	surge, _ := f.budget()
	makesRoom := surge == 0 && places > beyond
	if makesRoom {
		fleet, want, places = d.makeRoom(f, fleet, tried)
		slack = max(slack-1, 0) // the place is one that the larger demand gives
	}
	staying := d.turnOver(f, turnover{
		pods: fleet, givesWay: f.displaced, revision: f.Published, want: want, beside: max(tried-beyond-f.slack(), 0),
		makesRoom: makesRoom && places == 0,
	})
	// The replacements of pods whose node is to go are in the surge, and those pods were charged for it already.
	room := places - tried - max(staying-want-slack-min(leaving, surge), 0)
	if room <= 0 && tried == 0 && places > 0 && f.DepthKnown && slices.ContainsFunc(fleet, stays) {
		room = 1 // those that are too many and stay may never leave, unless the canary's revision ends that
	}
	room -= d.withdraw(f, f.Newest, room, fmt.Sprintf("revision %s is wanted", f.Newest))
	d.create(f, f.Newest, room, fmt.Sprintf("revision %s is tried beside revision %s", f.Newest, f.Published))
}

// canaryPlaces is how many canaries there may be: they are within the surge, and where there is none one worker
// makes room. Pods whose node is to go, or that are outdated, need the surge more urgently. Where no worker is
// wanted, on either queue, none is tried.
//
// While replacements of those pods do not come up, one canary has a place beyond the surge: the old revision may be
// tied to the very nodes that go, and the newest is then the only way out. The place is beyond, and not theirs,
// because they are tried on: a node may turn up for them as well.
func (d *Decision) canaryPlaces(f Fleet, fleet, canaries []Pod) (places, beyond int) {
	if max(f.Desired, f.NewestDesired) == 0 {
		return 0, 0
	}
	surge, _ := f.budget()
	if surge == 0 && f.NewestDesired > 0 && !f.DepthKnown && !f.standsStill() {
		return 1, 1 // nobody may leave for it while the other queue cannot be read, which may be for good
	}
	places = max(max(surge, 1)-count(fleet, f.displaced), 0)
	if places == 0 && d.replacementsFail(f, fleet) {
		places, beyond = 1, 1
	}
	if f.standsStill() {
		places = min(places, len(canaries))
	}
	return places, beyond
}

// comesUpWithin is how long a replacement may take to run before it is no longer waited for alone. Most nodes are
// there by then, and a canary that was tried needlessly costs a pod for a while.
const comesUpWithin = 2 * time.Minute

// replacementsFail reports whether pods of the published revision that are to replace others do not come up, or
// are refused.
func (d *Decision) replacementsFail(f Fleet, fleet []Pod) bool {
	if f.FailedCreations[f.Published].Refused || backOffFor(f.Published, f).Level > 0 {
		return true
	}
	for _, p := range fleet {
		down := p.Phase == Pending || (p.Failing && !p.Ready)
		if !down || f.displaced(p) || p.Revision != f.Published {
			continue
		}
		at := latest(p.Created, p.ReadyChanged).Add(comesUpWithin)
		if !f.Now.Before(at) {
			return true
		}
		d.recheckAt(at)
	}
	return false
}

// makeRoom gives a canary one of the fleet's places: the canary's own, one that is empty, or that of a worker
// that leaves for it, idle ones first. It returns who stays, how many there shall be, and how many places there
// are.
func (d *Decision) makeRoom(f Fleet, fleet []Pod, tried int) (staying []Pod, want, places int) {
	if f.slack() > 0 {
		return fleet, f.Desired, 1
	}
	if tried > 0 || len(fleet) < f.Desired {
		return fleet, f.Desired - 1, 1
	}
	if !f.letsGo() || len(fleet) > f.Desired {
		return fleet, f.Desired, 0
	}
	_, unavailable := f.budget()
	available := count(f.Pods, f.available)
	for _, p := range leaveOrder(fleet, notOfRevision(f.Published)) {
		if p.Stays {
			d.Staying++
			continue
		}
		if f.available(p) && d.spare(available, f.Desired-unavailable) == 0 {
			continue
		}
		d.retire(f, p, contract.ReasonRollout, fmt.Sprintf("it makes room to try revision %s", f.Newest))
		return where(fleet, func(q Pod) bool { return q.Name != p.Name }), f.Desired - 1, 1
	}
	return fleet, f.Desired, 0
}

// clearTheWay lets those pods go that must not stand in a canary's way, and reports whether there were any:
//   - Those of neither the published nor the newest revision that are of no use. They do not run, or are not ready and
//     idle: a change that was corrected before it ever worked must not take the places of workers. Or they work on another
//     queue, which nobody asks for any more.
//   - Those whose node is to go or that are outdated, canaries too, as far as others are available.
func (d *Decision) clearTheWay(f Fleet) bool {
	if !f.letsGo() {
		return false
	}
	before := len(d.Actions)
	useless := func(p Pod) bool {
		superseded := p.capacity() && p.Revision != f.Published && p.Revision != f.Newest
		return superseded && !p.Stays && (p.Phase == Pending || p.idleUnready() || (p.Elsewhere && !f.standsStill()))
	}
	for _, p := range where(f.Pods, useless) {
		d.retire(f, p, contract.ReasonRollout, fmt.Sprintf("revision %s was never proven and is no longer wanted", p.Revision))
	}
	displaced := where(f.Pods, func(p Pod) bool {
		return p.capacity() && f.displaced(p) && p.Revision != f.Newest && !useless(p) && !f.supersededElsewhere(p)
	})
	// A canary that is about to prove the revision does so first.
	canaries := where(f.Pods, func(p Pod) bool {
		return p.capacity() && f.displaced(p) && p.Revision == f.Newest && (f.standsStill() || !f.available(p))
	})
	d.replace(f, displaced, f.Published)
	d.replace(f, canaries, f.Newest)
	return len(d.Actions) > before
}

// supersededElsewhere pods are of neither revision that counts, and work on a queue that the published one does not serve.
// They are no part of the fleet: they cannot do what waits for it.
func (f Fleet) supersededElsewhere(p Pod) bool {
	return p.Elsewhere && f.Published != f.Newest && p.Revision != f.Published && p.Revision != f.Newest
}

// shrinkCanaries lets up to n canaries leave because there is no room for them any more. Only while the rollout is
// paused can one of them be available.
func (d *Decision) shrinkCanaries(f Fleet, canaries []Pod, n int) {
	if !f.letsGo() || n <= 0 {
		return
	}
	_, unavailable := f.budget()
	why := f.needs() + "; 1 canary too many"
	if n > 1 {
		why = fmt.Sprintf("%s; %d canaries too many", f.needs(), n)
	}
	left, staying, available := 0, 0, count(f.Pods, f.available)
	for _, p := range leaveOrder(canaries, notOfRevision(f.Newest)) {
		if left == n {
			break
		}
		if p.Stays {
			staying++
			continue
		}
		if f.available(p) && d.spare(available, f.Desired-unavailable) == 0 {
			continue
		}
		d.retire(f, p, contract.ReasonRollout, why)
		left++
	}
	d.Staying += min(staying, n-left)
}
