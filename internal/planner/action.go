package planner

import (
	"fmt"
	"slices"
	"time"

	"github.com/quickube/qscaler/worker/contract"
)

// Kind is what an action does.
type Kind string

// The kinds of actions.
const (
	// Create makes a pod of Action.Revision.
	Create Kind = "Create"
	// GrantLeave tells Action.Pod that it may leave.
	GrantLeave Kind = "GrantLeave"
	// SignalLeave deletes Action.Pod, whose worker leaves on SIGTERM alone, with its full grace period.
	SignalLeave Kind = "SignalLeave"
	// WithdrawGrant tells Action.Pod to stay.
	WithdrawGrant Kind = "WithdrawGrant"
	// DeleteNotRunning deletes Action.Pod whose worker container is not running; should it start in between,
	// the deletion's precondition fails.
	DeleteNotRunning Kind = "DeleteNotRunning"
	// DeleteOverdue deletes Action.Pod, which has held its grant for longer than maxTaskDuration.
	DeleteOverdue Kind = "DeleteOverdue"
	// Remove deletes Action.Pod, which has left.
	Remove Kind = "Remove"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{Create, GrantLeave, SignalLeave, WithdrawGrant, DeleteNotRunning, DeleteOverdue, Remove}
}

// LetsGo reports whether a pod makes room by an action of this kind.
func (k Kind) LetsGo() bool { return k == GrantLeave || k == SignalLeave || k == DeleteNotRunning }

// CountLetGo counts the actions by which a pod makes room.
func CountLetGo(actions []Action) (n int) {
	for _, a := range actions {
		if a.Kind.LetsGo() {
			n++
		}
	}
	return n
}

// Action is one step towards the desired fleet, and why.
type Action struct {
	Kind Kind
	// Pod is the pod's name. Plan leaves it empty for Create: names are not its business.
	Pod string
	// Revision is the hash of the revision to create a pod of.
	Revision string
	// Level is how many pods of the revision failed in a row before this one is created.
	Level int
	// Grant is the reason for which Action.Pod may leave, for GrantLeave and SignalLeave.
	Grant contract.Reason
	// Why is the decision's reason, in words for a person.
	Why string
}

func (a Action) String() string {
	switch a.Kind {
	case Create:
		return fmt.Sprintf("%s (revision %s): %s", a.Kind, a.Revision, a.Why)
	case GrantLeave, SignalLeave:
		return fmt.Sprintf("%s %s (%s): %s", a.Kind, a.Pod, a.Grant, a.Why)
	default:
		return fmt.Sprintf("%s %s: %s", a.Kind, a.Pod, a.Why)
	}
}

// Decision is what to do now, and when to look again.
type Decision struct {
	Actions []Action
	// Publish is the hash that status.currentPodSpecHash moves to, "" when it stays. Whoever carries the actions out
	// asks PublishedAfter whether it does.
	Publish string
	// ExcessSince is to be handed to the next call of Plan.
	ExcessSince time.Time
	// Stage is where the rollout stands.
	Stage Stage
	// Proven is true when a pod of the published revision is, or has been, ready for long enough.
	Proven bool
	// Obstacle is why the rollout does not go on by itself, zero where it does.
	Obstacle Obstacle
	// BackOff is set while failures hold back the creation of pods.
	BackOff BackOff
	// Failures is how many workers of the published revision have failed in a row, also while the next one is tried.
	Failures int
	// Missing has the pods that would be created, were it possible.
	Missing []Missing
	// Staying is how many workers would be told to end, were they not to stay; see Pod.Stays.
	Staying int
	// Withheld is how many pods would be let go, were a fresh reading there.
	Withheld int
	// More is true where more pods are to be created than one plan creates. The next plan, once this one is carried out,
	// creates them.
	More bool
	// Retrying has the revisions of which pods would be created, had the last creation not failed. It is tried again later.
	Retrying []string
	// leaving counts the available pods that are let go.
	leaving int
	// created counts the pods that are created.
	created int
	// RecheckAt is when time alone may change the decision; zero for never.
	RecheckAt time.Time
}

// Missing are pods that would be created, were it possible.
type Missing struct {
	Revision string
	Pods     int
	// Why is why it is not.
	Why string
}

// PublishedAfter is the hash that status.currentPodSpecHash moves to once so much of the decision is done, "" when it
// stays. A revision may be published because those who worked are let go. While some of them are still there it is
// not, and the next plan sees them. It is all the same where pods are created, because they have been told of the hash.
func (d Decision) PublishedAfter(done []Action) string {
	creates := slices.ContainsFunc(d.Actions, func(a Action) bool { return a.Kind == Create })
	if !creates && CountLetGo(done) < CountLetGo(d.Actions)+d.Withheld {
		return ""
	}
	return d.Publish
}

func (d *Decision) add(actions ...Action) { d.Actions = append(d.Actions, actions...) }

// recheckAt brings the next look forward to t.
func (d *Decision) recheckAt(t time.Time) {
	if d.RecheckAt.IsZero() || t.Before(d.RecheckAt) {
		d.RecheckAt = t
	}
}

// join adds a later step to the decision.
func (d *Decision) join(next Decision) {
	d.add(next.Actions...)
	d.More = d.More || next.More
	d.Staying = max(d.Staying, next.Staying)
	if !next.RecheckAt.IsZero() {
		d.recheckAt(next.RecheckAt)
	}
	if next.BackOff.Level > 0 {
		d.BackOff = next.BackOff
	}
	if len(next.Missing) > 0 {
		d.Missing = next.Missing
	}
	if len(next.Retrying) > 0 {
		d.Retrying = next.Retrying
	}
}

// after is the fleet once the actions of a decision are carried out.
func (f Fleet) after(d Decision) Fleet {
	byPod := make(map[string]Action, len(d.Actions))
	pods := make([]Pod, 0, len(f.Pods)+len(d.Actions))
	for _, a := range d.Actions {
		if a.Kind == Create {
			pods = append(pods, Pod{Name: a.Pod, Revision: a.Revision, Created: f.Now, Phase: Pending})
			continue
		}
		byPod[a.Pod] = a
	}
	for _, p := range f.Pods {
		switch byPod[p.Name].Kind {
		case GrantLeave:
			p.Grant = Grant{Reason: byPod[p.Name].Grant, Since: f.Now}
		case WithdrawGrant:
			p.Grant = Grant{}
		case DeleteNotRunning, DeleteOverdue, SignalLeave:
			p.Phase = Terminating
		case Remove:
			continue
		}
		pods = append(pods, p)
	}
	f.Pods, f.ExcessSince = pods, d.ExcessSince
	f.created += d.created
	return f
}
