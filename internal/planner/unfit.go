package planner

// unfit pods cannot run as they are sized. They are no capacity: the plan that deletes them creates others, which are
// made in another size.
func (p Pod) unfit() bool { return p.Phase == Pending && !p.granted() && p.Unfit != "" }

// deleteUnfit deletes the pods that cannot run as they are sized, also while the queue cannot be read: none of them is
// at a task. The pods of a QWorker that is being deleted go for that reason.
func (d *Decision) deleteUnfit(f Fleet) {
	if f.Deleting {
		return
	}
	for _, p := range where(f.Pods, Pod.unfit) {
		d.add(Action{Kind: DeleteNotRunning, Pod: p.Name, Why: p.Unfit})
	}
}
