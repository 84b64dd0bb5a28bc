package planner

// awaitsReading counts those that are let go and that a fresh reading is needed for. Those of a QWorker that is being
// deleted get their grants whatever they do.
func (d *Decision) awaitsReading(f Fleet) (n int) {
	for _, a := range d.Actions {
		if a.Kind.LetsGo() && (a.Kind == DeleteNotRunning || !f.Deleting) {
			n++
		}
	}
	return n
}

// withholding is the fleet for a plan that lets nobody go. Pods that cannot run as they are sized keep their places until
// they are deleted: others beside them would be more than there may be.
func (f Fleet) withholding() Fleet {
	f.withholds = true
	pods := make([]Pod, len(f.Pods))
	for i, p := range f.Pods {
		p.Unfit = ""
		pods[i] = p
	}
	f.Pods = pods
	return f
}

// letsGo reports whether pods may be let go in this plan. The plan for a QWorker that is being deleted does not ask.
func (f Fleet) letsGo() bool { return f.DepthKnown && !f.withholds }
