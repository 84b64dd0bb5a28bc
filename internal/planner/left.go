package planner

import (
	"cmp"
	"slices"
)

// keptFailures is how many failed pods stay for diagnosis.
const keptFailures = 3

// removeLeft deletes the pods that have left and that nothing needs any more. The last few failed ones stay
// for diagnosis while the QWorker does, but for those of which a sidecar still runs: what their worker had in
// hand can only be reclaimed once it is sure that nothing of the pod works on it.
func (d *Decision) removeLeft(f Fleet) {
	failed := where(f.Pods, func(p Pod) bool { return p.Phase == Left && p.Ended && !p.Failure.At.IsZero() })
	slices.SortFunc(failed, func(a, b Pod) int {
		return cmp.Or(b.Failure.At.Compare(a.Failure.At), cmp.Compare(a.Name, b.Name))
	})
	kept := map[string]bool{}
	if !f.Deleting {
		for _, p := range failed[:min(keptFailures, len(failed))] {
			kept[p.Name] = true
		}
		keepBackOffs(f, failed, kept)
	}
	for _, p := range f.Pods {
		switch {
		case p.Phase == Left && p.Reclaimed && !kept[p.Name]:
			d.add(Action{Kind: Remove, Pod: p.Name, Why: "it has left"})
		case p.Leftover:
			d.add(Action{Kind: Remove, Pod: p.Name, Why: "its worker has left, and a sidecar has not"})
		}
	}
}

// keepBackOffs keeps of each revision the pod that its back-off is read from: evictions and the failures of another
// revision must not have it forgotten.
func keepBackOffs(f Fleet, failed []Pod, kept map[string]bool) {
	worst := map[string]Pod{}
	for _, p := range failed { // the last one first
		if p.Failure.Level > worst[p.Revision].Failure.Level {
			worst[p.Revision] = p
		}
	}
	for revision, p := range worst {
		if backOffFor(revision, f).Level > 0 {
			kept[p.Name] = true
		}
	}
}
