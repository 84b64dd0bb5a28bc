package planner

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

// Fleet is everything that a plan depends on.
type Fleet struct {
	Now time.Time

	// Desired is how many workers the queue asks for; see Size and Window.
	Desired int
	// Excused is how many of Desired are for messages that workers on their way out are busy with. They need no
	// other worker: none is created for them. Desired still has them for a while, because going down it is the
	// highest of a window, and that is the pace at which others may follow.
	Excused int
	// DepthKnown is false while the queue cannot be read: then nobody is granted leave and no grant is
	// withdrawn, because a failed read says nothing about the work.
	DepthKnown bool
	// Deleting is true once the QWorker is to go.
	Deleting bool

	// Published is the hash of the revision that status.currentPodSpecHash names, "" before the first.
	Published string
	// Proven is true when a pod of the published revision has ever been ready.
	Proven bool
	// Newest is the hash of the revision that the spec describes.
	Newest string
	// Tried is true once a canary of the newest revision was created. It is then not published without proof,
	// also when the fleet is scaled to none in between.
	Tried bool
	// Rollout is how a new revision takes over.
	Rollout Rollout

	// ExcessSince is when the fleet began to have more workers than desired, zero when it has not. The
	// previous Decision has it.
	ExcessSince time.Time
	// Setbacks has the revisions of which the last pod could not be created.
	Setbacks map[string]Setback

	Pods []Pod

	// created counts the pods that the plan that is being made has created.
	created int
}

// Setback is that a pod could not be created.
type Setback struct {
	// Until is when the next is tried.
	Until time.Time
	// Refused is true where the API server does not want the pod as it is: others like it cannot be created either,
	// until somebody changes something. Else it may only have been out of reach.
	Refused bool
}

// Phase is where a pod stands in its life, seen from its worker container.
type Phase int

// The phases, in the order in which a pod goes through them.
const (
	// Pending means that the worker container is not running: unscheduled, pulling its image, in an init
	// container, or backing off after a crash.
	Pending Phase = iota
	// Running means that the worker container is running.
	Running
	// Terminating means that the pod is being deleted and its processes may still be at work.
	Terminating
	// Left means that the worker container has ended and will do no more work.
	Left
)

// Work is what a worker is known to be doing.
type Work int

// What a worker may be known to be doing. Unknown is not idle.
const (
	Unknown Work = iota
	Idle
	Busy
)

// Grant is a pod's permission to leave; the zero Grant is none.
type Grant struct {
	Reason contract.Reason
	Since  time.Time
	// Seen is since when this process knows of the grant, zero where it has just given it. Since is from the clock of
	// whoever gave it, and clocks are set; how long a grant is held for is only sure where both say so.
	Seen time.Time
	// fresh grants are given by the plan that is being made, which does not take them back.
	fresh bool
}

// Pod is one worker.
type Pod struct {
	Name     string
	Revision string
	Created  time.Time
	Phase    Phase
	Ready    bool
	// ReadyChanged is since when Ready is what it is, zero where that is not known.
	ReadyChanged time.Time
	Grant        Grant
	Work         Work

	// MaxTaskDuration bounds how long the pod may hold a grant; 0 means for ever.
	MaxTaskDuration time.Duration
	// Signalled workers leave on SIGTERM alone: they are deleted where others are granted leave.
	Signalled bool
	// NodeLeaving is true for a pod whose node is to go.
	NodeLeaving bool
	// Lost is true for a pod whose node does not answer. It may still be at work, and it may come back.
	Lost bool

	// Trouble says in the cluster's words why the worker does not run or is not ready, "" where nothing is
	// known to be wrong.
	Trouble string
	// Failing is true when Trouble is the revision's doing, such as a crash, and false when it may be a wait.
	Failing bool

	// Failure is set for a pod that has left as a crash, or ended at once without a grant.
	Failure Failure
	// Ended is true for a pod that has left with every container: nothing of it runs any more.
	Ended bool
	// Settled is true for a pod that has left and that nothing needs any more: its messages in flight have been
	// given back, or that is tried without it.
	Settled bool
	// Leftover is true for a terminating pod whose worker has ended and whose other containers have not.
	Leftover bool
}

// Failure is how a pod failed; the zero Failure is none.
type Failure struct {
	// Level is the number of failures in a row of the pod's revision, this one included.
	Level int
	At    time.Time
}

func (p Pod) granted() bool { return p.Grant.Reason != "" }

// live pods exist and are not on their way out by deletion.
func (p Pod) live() bool { return p.Phase == Pending || p.Phase == Running }

// capacity is what counts against desired: live pods that hold no grant and are not lost. A granted,
// terminating or failed pod counted here would get no replacement.
func (p Pod) capacity() bool { return p.live() && !p.granted() && !p.Lost }

// idleUnready pods are not ready and known to be at no task: nobody misses them. A worker can fail its
// readiness probe because it is busy, and where that is not known it may be so.
func (p Pod) idleUnready() bool { return p.Phase == Running && !p.Ready && p.Work == Idle }

// steady pods are ready, those of the newest revision for as long as the rollout asks.
func (f Fleet) steady(p Pod) bool {
	return p.Phase == Running && p.Ready && (p.Revision != f.Newest || !f.Now.Before(f.steadyAt(p)))
}

// proves reports whether a pod shows that the published revision works.
func (f Fleet) proves(p Pod) bool {
	return p.Revision == f.Published && p.Phase == Running && p.Ready && !f.Now.Before(f.steadyAt(p))
}

func (f Fleet) steadyAt(p Pod) time.Time { return p.ReadyChanged.Add(f.Rollout.MinReady) }

// available pods are at work, or could be: the rollout keeps enough of them.
func (f Fleet) available(p Pod) bool { return p.capacity() && f.steady(p) }

func where(pods []Pod, keep func(Pod) bool) []Pod {
	kept := slices.Grow([]Pod(nil), count(pods, keep)) // of ten thousand pods, growing would copy several times as many
	for _, p := range pods {
		if keep(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

func count(pods []Pod, match func(Pod) bool) int {
	n := 0
	for _, p := range pods {
		if match(p) {
			n++
		}
	}
	return n
}

func not(match func(Pod) bool) func(Pod) bool {
	return func(p Pod) bool { return !match(p) }
}

func nodeLeaving(p Pod) bool { return p.NodeLeaving }

func ofRevision(hash string) func(Pod) bool {
	return func(p Pod) bool { return p.Revision == hash }
}

func notOfRevision(hash string) func(Pod) bool {
	return not(ofRevision(hash))
}
