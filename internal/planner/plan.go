package planner

import (
	"fmt"

	"github.com/quickube/qscaler/worker/contract"
)

// Plan decides what becomes of the fleet now. It is complete: once its actions are carried out, a second
// plan of the same moment is empty.
func Plan(f Fleet) Decision {
	d := step(f)
	for last := d; len(last.Actions) > 0 && d.Publish == ""; {
		f = f.after(last)
		last = step(f)
		d.join(last)
	}
	return d
}

// step decides as much as can be seen at once. One action may make room for another: a grant that is
// withdrawn for a ready worker lets an older one leave.
func step(f Fleet) Decision {
	var d Decision
	d.removeLeft(f)
	d.endGrants(f)
	if !f.Deleting && stageOf(f) == Canary && d.dropUnproven(f) {
		since := f.ExcessSince
		f = f.after(d)
		f.ExcessSince = since
	}
	d.Stage = stageOf(f)
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
	for _, p := range where(f.Pods, Pod.capacity) {
		if p.Phase == Pending {
			d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: "the QWorker is being deleted"})
			continue
		}
		d.grant(p, contract.ReasonDelete, "the QWorker is being deleted")
	}
}

// resize brings pods, all of them capacity, to the wanted number: it withdraws grants or creates pods of
// the revision when there are too few, and lets the excess leave when there are too many. It returns how
// many of the pods leave now.
func (d *Decision) resize(f Fleet, s sizing) int {
	missing := s.want - len(s.pods)
	if missing < 0 {
		return d.shrink(f, s.pods, -missing, notOfRevision(s.revision))
	}
	if s.room < missing {
		missing = max(s.room, 0)
	}
	missing -= d.withdraw(f, s, missing)
	d.create(f, s.revision, missing, s.why)
	return 0
}

// sizing is what resize works on.
type sizing struct {
	// pods count against want.
	pods []Pod
	want int
	// room bounds how many may be added.
	room int
	// revision is the one that new pods are made of; pods of others are outdated.
	revision string
	why      string
}

// create makes n pods of a revision, unless its failures hold it back.
func (d *Decision) create(f Fleet, revision string, n int, why string) {
	if n <= 0 {
		return
	}
	b := backOffFor(revision, f)
	if f.Now.Before(b.Until) {
		d.BackOff = b
		d.wakeAt(b.Until)
		return
	}
	for range n {
		d.add(Action{Kind: Create, Revision: revision, Level: b.Level, Why: why})
	}
}

func needs(desired int) string {
	if desired == 1 {
		return "the queue asks for 1 worker"
	}
	return fmt.Sprintf("the queue asks for %d workers", desired)
}
