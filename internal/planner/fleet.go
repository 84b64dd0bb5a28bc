package planner

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

// Fleet is everything that a plan depends on.
type Fleet struct {
	Now time.Time

	// Desired is how many workers the queue asks for.
	Desired int
	// Why is why there shall be as many, in words for a person; "" where the number says it all.
	Why string
	// NewestDesired is how many workers the queue of the newest revision asks for, where that is another one than that of
	// the published revision. Else it is 0. Nobody but pods of the newest revision can do what waits there.
	NewestDesired int
	// Finishing is how many of Desired are for messages that workers on their way out are busy with. They need no
	// other worker: none is created for them. Desired still has them for a while, because going down it is the
	// highest of a window, and that is the pace at which others may follow.
	Finishing int
	// DepthKnown is false while the queue cannot be read: then nobody gets a grant and no grant is
	// withdrawn, because a failed read says nothing about the work. A QWorker that is being deleted does not wait for it.
	DepthKnown bool
	// Withhold is true until a fresh reading is there: nobody is let go before, because a worker that was idle when the
	// queue was last read may be busy now. Workers of a QWorker that is being deleted get their grants all the same.
	Withhold bool
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
	// NewestBarred is true while the newest revision takes nobody's place, and none of its pods is created beside others:
	// it works on a queue or broker that has yet to be read, where its pods may well start and would all wait; what must be
	// stored of it before cannot be; or the API server would refuse its pods.
	NewestBarred bool
	// Rollout is how a new revision takes over.
	Rollout Rollout

	// ExcessSince is when the fleet began to have more workers than desired, zero when it has not. The
	// previous Decision has it.
	ExcessSince time.Time
	// FailedCreations has the revisions of which the last pod could not be created.
	FailedCreations map[string]FailedCreation
	// Done is when a worker of a revision last ended by itself after it had done a task, by revision.
	Done map[string]time.Time
	// Paced is until when no pod of a revision is created, because nobody knows what its last worker has done that ended by
	// itself.
	Paced map[string]time.Time
	// Uncreatable has the revisions of which no pod can be made at present, and why.
	Uncreatable map[string]string

	Pods []Pod

	// created counts the pods that the plan that is being made has created.
	created int
	// withholds is true for the plan that does without departures.
	withholds bool
}

// FailedCreation says that the last pod of a revision could not be created.
type FailedCreation struct {
	// RetryAt is when the next is tried.
	RetryAt time.Time
	// Refused is true where the API server does not want the pod as it is: others like it cannot be created either,
	// until somebody changes something. Else it may only have been out of reach.
	Refused bool
}

// Phase is where a pod stands in its life, seen from its worker container.
type Phase int

// The phases, in the order in which a pod goes through them.
const (
	// Pending means that the worker container is not reported to run: unscheduled, pulling its image, in an init
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
	// DownSince is since when this process has been told that the worker's process has ended and that the next one does
	// not run yet; zero where the kubelet has told nothing of the kind. A time in which nobody could tell is none of it.
	DownSince time.Time

	// MaxTaskDuration bounds how long the pod may have a grant; 0 means for ever.
	MaxTaskDuration time.Duration
	// Signalled workers leave on SIGTERM alone: they are deleted where others get a grant.
	Signalled bool
	// Stays is true for a pod that is not to be told to end: its worker knows SIGTERM alone, and may be at a task that
	// nobody sees. Only the deletion of the QWorker ends it.
	Stays bool
	// Elsewhere is true for a pod that works on another queue or broker than the pods of the published revision.
	Elsewhere bool
	// NodeLeaving is true for a pod whose node is being drained.
	NodeLeaving bool
	// OldPassword is true for a pod that was made when the broker's password was another. Its worker may be refused.
	OldPassword bool
	// OtherConfig is true for a pod that was made when a Secret or ConfigMap of its revision had another content.
	OtherConfig bool
	// Unreachable is true for a pod whose node does not answer. It may still be at work, and it may come back.
	Unreachable bool

	// Trouble says in the cluster's words why the worker does not run or is not ready, "" where nothing is
	// known to be wrong.
	Trouble string
	// Failing is true when Trouble is the revision's doing, such as a crash, and false when it may be a wait.
	Failing bool
	// Unfit says why a pod that is Pending and holds no grant cannot run as it is sized, "" where it can.
	Unfit string

	// Failure is set for a pod that has left as a crash, or ended at once without a grant.
	Failure Failure
	// EndedWell is when the worker of a pod that has left ended with code 0, zero where it did not. Where Failure is set
	// beside it, it ended at once.
	EndedWell time.Time
	// Ended is true for a pod that has left with every container: nothing of it runs any more.
	Ended bool
	// Reclaimed is true for a pod that has left and that nothing needs any more: its messages in flight have
	// returned, or that is tried without it.
	Reclaimed bool
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

// Live reports whether a pod exists and is not on its way out by deletion.
func (p Pod) Live() bool { return p.live() }

// live pods exist and are not on their way out by deletion.
func (p Pod) live() bool { return p.Phase == Pending || p.Phase == Running }

// believedFor is how long a worker is taken to be at the task that the broker shows in its hands, once the kubelet has
// said that its process has ended. The next process goes on with that task, and the kubelet may be late to tell of it.
// After that time the process is taken to be down, as in a long crash back-off, and the task to be a dead worker's.
const believedFor = time.Minute

// AsKnown is the pod by all that is known of its worker: what the broker knows wins over what the kubelet has not said.
// A worker that holds a task runs, or did a moment ago, and the kubelet may have yet to report that: within 2 s mostly,
// and 10 s and more after the API server was away.
//
// The deletion of its QWorker does not wait for a process that has ended. If the next one is at the task after all, it
// is told by SIGTERM and has its grace period.
func (p Pod) AsKnown(now time.Time, deleting bool) Pod {
	believed := p.DownSince.IsZero() || (!deleting && now.Before(p.DownSince.Add(believedFor)))
	if p.Phase == Pending && p.Work == Busy && believed {
		p.Phase, p.Ready = Running, false
	}
	return p
}

// asKnown is the fleet with each pod as it is known.
func (f Fleet) asKnown() Fleet {
	known := func(p Pod) bool { return p.AsKnown(f.Now, f.Deleting).Phase == p.Phase }
	if !slices.ContainsFunc(f.Pods, func(p Pod) bool { return !known(p) }) {
		return f
	}
	f.Pods = slices.Clone(f.Pods)
	for i := range f.Pods {
		f.Pods[i] = f.Pods[i].AsKnown(f.Now, f.Deleting)
	}
	return f
}

// capacity is what counts against desired: live pods that hold no grant, are reachable and can run. A granted,
// terminating or failed pod counted here would get no replacement.
func (p Pod) capacity() bool { return p.live() && !p.granted() && !p.Unreachable && !p.unfit() }

// idleUnready pods are not ready and known to be at no task: nobody misses them. A worker can fail its
// readiness probe because it is busy, and where that is not known it may be so.
func (p Pod) idleUnready() bool { return p.Phase == Running && !p.Ready && p.Work == Idle }

// steady pods are ready, those of the newest revision for as long as the rollout asks.
func (f Fleet) steady(p Pod) bool {
	return p.Phase == Running && p.Ready && (p.Revision != f.Newest || !f.Now.Before(f.steadyAt(p)))
}

// EndedAtOnce reports whether the pod has left with code 0 and counts as failed, because it ended so soon.
func (p Pod) EndedAtOnce() bool { return !p.EndedWell.IsZero() && !p.Failure.At.IsZero() }

// Capacity reports whether a pod counts against the desired workers.
func (p Pod) Capacity() bool { return p.capacity() }

// did reports whether a worker of a revision has done a task and ended by itself. That shows as much as one that stays
// ready: workers that end after their task may never be ready for long.
func (f Fleet) did(revision string) bool { return !f.Done[revision].IsZero() }

// proves reports whether a pod shows that the published revision works.
func (f Fleet) proves(p Pod) bool {
	return p.Revision == f.Published && p.Phase == Running && p.Ready && !f.Now.Before(f.steadyAt(p))
}

func (f Fleet) steadyAt(p Pod) time.Time { return p.ReadyChanged.Add(f.Rollout.MinReady) }

// slack is how many workers there may be beyond Desired because the queue of the newest revision asks for more than that
// of the published one: the larger demand counts.
func (f Fleet) slack() int { return max(f.NewestDesired-f.Desired, 0) }

// available pods are at work, or could be: the rollout keeps enough of them.
func (f Fleet) available(p Pod) bool {
	return p.capacity() && f.steady(p) && !f.supersededElsewhere(p)
}

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

// displaced pods give way to others whatever their revision is: their node is being drained, or
// what they were made with is outdated.
func (f Fleet) displaced(p Pod) bool {
	return p.NodeLeaving || (p.outdated() != "" && !f.standsStill())
}

// outdated says what has changed that a pod was made with, beside its revision; "" for nothing.
func (p Pod) outdated() string {
	switch {
	case p.OldPassword:
		return "the broker's password has changed"
	case p.OtherConfig:
		return "a Secret or ConfigMap has changed"
	}
	return ""
}

func stays(p Pod) bool { return p.Stays }

func ofRevision(hash string) func(Pod) bool {
	return func(p Pod) bool { return p.Revision == hash }
}

func notOfRevision(hash string) func(Pod) bool {
	return not(ofRevision(hash))
}
