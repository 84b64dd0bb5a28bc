package planner

import (
	"fmt"
	"slices"

	"github.com/quickube/qscaler/worker/contract"
)

// maxSteps bounds the steps of a plan. A handful is enough for any fleet; an endless plan would be a defect.
const maxSteps = 100

// Portion is the most pods that one plan creates. What has changed meanwhile, as a queue that was purged or a QWorker
// that was deleted, is seen before more are created.
const Portion = 1000

// Plan decides what becomes of the fleet now. It is complete: once its actions are carried out, a second
// plan of the same moment is empty, unless Decision.More says that it creates the next portion.
func Plan(f Fleet) Decision {
	f = f.asKnown()
	d := f.plan()
	withheld := d.awaitsReading(f)
	if !f.Withhold || withheld == 0 {
		return d
	}
	staying := d.Staying
	d = f.withholding().plan()
	d.Withheld, d.Staying = withheld, max(d.Staying, staying)
	return d
}

// plan makes steps until nothing is left to do.
func (f Fleet) plan() Decision {
	failures := backOffFor(f.Published, f).Level
	d := step(f)
	last := d
	for range maxSteps {
		if len(last.Actions) == 0 || d.Publish != "" {
			break
		}
		f = f.after(last)
		f.Proven = last.Proven // also where the pod that gave the proof has just gone
		last = step(f)
		d.join(last)
	}
	d.Actions = withoutUndone(d.Actions)
	d.Failures = failures
	return d
}

// withoutUndone leaves out what a plan does in one step and undoes in a later one. A pod that is created, or whose grant
// is withdrawn, can be let go, and a grant that the plan has given can be withdrawn: each undoes the one before.
func withoutUndone(actions []Action) []Action {
	last, undone := map[string]int{}, make([]bool, len(actions))
	for i, a := range actions {
		if before, ok := last[a.Pod]; ok {
			undone[before], undone[i] = true, true
			delete(last, a.Pod)
		} else {
			last[a.Pod] = i
		}
	}
	var kept []Action
	for i, a := range actions {
		if undone[i] {
			continue
		}
		if a.Kind == Create {
			a.Pod = ""
		}
		kept = append(kept, a)
	}
	return kept
}

// step decides as much as can be seen at once. One action may make room for another: a grant that is
// withdrawn for a ready worker lets an older one leave.
func step(f Fleet) Decision {
	f.Proven = f.Proven || f.did(f.Published) || slices.ContainsFunc(f.Pods, f.proves)
	d := Decision{Proven: f.Proven}
	d.removeLeft(f)
	d.endGrants(f)
	d.deleteUnfit(f)
	if !f.Deleting && stageOf(f) == Canary && d.clearTheWay(f) {
		since := f.ExcessSince
		f, d.leaving = f.after(d), 0
		f.ExcessSince = since
	}
	d.Stage = stageOf(f)
	d.watchProgress(f)
	switch {
	case f.Deleting:
		d.letAllGo(f)
	case d.Stage == Canary:
		d.tryCanary(f)
	default:
		if f.Published != f.Newest {
			d.Publish = f.Newest
		}
		d.rollOn(f)
	}
	return d
}

// letAllGo lets the fleet of a QWorker that is being deleted finish its tasks.
func (d *Decision) letAllGo(f Fleet) {
	for _, p := range where(f.Pods, func(p Pod) bool { return p.live() && !p.granted() }) {
		if p.Phase == Pending {
			if !f.withholds {
				d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: "the QWorker is being deleted"})
			}
			continue
		}
		d.grant(f, p, contract.ReasonDelete, "the QWorker is being deleted")
	}
}

// scale brings pods, all of them capacity, to the wanted number: it withdraws grants or creates pods of
// the revision when there are too few, and lets the excess leave when there are too many.
func (d *Decision) scale(f Fleet, to target) {
	missing := to.want - len(to.pods)
	if missing < 0 {
		d.shrink(f, to, -missing)
		return
	}
	missing = min(missing, max(to.room, 0))
	back := d.withdraw(f, to.revision, missing, to.why)
	d.create(f, to.revision, min(missing, to.want-f.Finishing-len(to.pods))-back, to.why)
}

// target is what scale works towards.
type target struct {
	// pods count against want.
	pods []Pod
	want int
	// room bounds how many may be added.
	room int
	// revision is the one that new pods are made of; pods of others are outdated.
	revision string
	why      string
}

// create makes n pods of a revision, unless none can be made or its failures hold it back, and no more than
// the rest of the portion.
func (d *Decision) create(f Fleet, revision string, n int, why string) {
	if n <= 0 {
		return
	}
	if why, uncreatable := f.Uncreatable[revision]; uncreatable {
		d.Missing = append(d.Missing, Missing{Revision: revision, Pods: n, Why: why})
		return
	}
	if retryAt := f.FailedCreations[revision].RetryAt; f.Now.Before(retryAt) {
		d.recheckAt(retryAt)
		d.Retrying = append(d.Retrying, revision)
		return
	}
	if until := f.Paced[revision]; f.Now.Before(until) {
		d.recheckAt(until)
		return
	}
	b := backOffFor(revision, f)
	if f.Now.Before(b.Until) {
		if revision != f.Newest || stageOf(f) != Canary {
			d.BackOff = b // a canary's is told as the rollout's obstacle
		}
		d.recheckAt(b.Until)
		return
	}
	rest := max(Portion-f.created-d.created, 0)
	d.More = d.More || n > rest
	for range min(n, rest) {
		d.created++
		d.add(Action{Kind: Create, Pod: fmt.Sprintf("new-%d", f.created+d.created), Revision: revision, Level: b.Level, Why: why})
	}
}

// needs is why there shall be as many workers as desired.
func (f Fleet) needs() string {
	switch {
	case f.Why != "":
		return f.Why
	case f.Desired == 1:
		return "the queue asks for 1 worker"
	}
	return fmt.Sprintf("the queue asks for %d workers", f.Desired)
}
