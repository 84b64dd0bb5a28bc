package planner

import "slices"

// Stage is where a fleet stands between two revisions.
type Stage string

// The stages.
//
//	           spec changes        a canary is available       the last old pod has a grant
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

func stageOf(f Fleet) Stage {
	older := slices.ContainsFunc(f.Pods, func(p Pod) bool { return p.capacity() && p.Revision != f.Newest })
	switch {
	case f.Published != f.Newest && f.Published != "" && (f.standsStill() || f.works() && (older || f.Tried)):
		return Canary
	case older:
		return Rolling
	default:
		return Settled
	}
}

// standsStill reports whether the rollout stays where it is: somebody has paused it, or the newest revision's queue is yet
// to be read.
func (f Fleet) standsStill() bool { return f.Rollout.Paused || f.NewestBarred }

// works reports whether there is something to protect: the published revision is proven, or about to be. A fleet
// that was created a moment ago, whose first worker is ready, is not given up for a change that may be broken.
func (f Fleet) works() bool {
	return f.Proven || slices.ContainsFunc(f.Pods, func(p Pod) bool {
		return p.Revision == f.Published && p.capacity() && p.Phase == Running && p.Ready
	})
}

// rollOn scales the newest revision to desired, and lets older pods leave as newer ones become available.
// Without older pods it is plain scaling; while the rollout stands still, older pods stay until scaling takes them.
func (d *Decision) rollOn(f Fleet) {
	givesWay := func(p Pod) bool { return f.displaced(p) || (p.Revision != f.Newest && !f.standsStill()) }
	d.turnOver(f, turnover{
		pods: where(f.Pods, Pod.capacity), givesWay: givesWay, revision: f.Newest, want: f.Desired,
	})
}
