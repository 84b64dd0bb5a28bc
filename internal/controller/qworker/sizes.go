package qworker

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/internal/controller/qworker/report"
	rightsizing "github.com/quickube/qscaler/internal/controller/qworker/sizing"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
)

// recommend begins the round of right-sizing, which goes on with pods that do not run (noteUnfit), new pods (newPod),
// refused ones (otherThanSize) and running ones (raiseRunning).
func (r *round) recommend(ctx context.Context) {
	f := rightsizing.Fleet{QWorker: r.seen.qw, Pods: r.seen.pods, Now: r.seen.now}
	if r.seen.revisions.newest != nil {
		f.Newest = &r.seen.revisions.newest.PodSpec
	}
	r.sizes = r.reconciler.sizer.Recommend(ctx, &r.memory.sizes, f)
	r.seen.status.Recommendations, r.seen.status.MaxContainerResourcesUsage = r.sizes.Recommendations, r.sizes.MostUsed
	if written := r.sizes.Written; written != nil {
		r.object.noteWritten(written)
	}
	r.seen.noteUnfit(&r.sizes)
}

// noteUnfit tells the planner which pods do not run because of their size.
func (o *observation) noteUnfit(sizes *rightsizing.Round) {
	if !sizes.Active() {
		return
	}
	for i, pod := range o.pods {
		if o.states[i].Phase != planner.Pending || o.states[i].Grant.Reason != "" {
			continue
		}
		p := rightsizing.NotRunning{Pod: pod, Worker: o.revisions.workerOf(pod)}
		if made := o.revisions.of(fleet.RevisionOf(pod)); made != nil {
			p.Template = &made.PodSpec
		}
		o.states[i].Unfit = sizes.Unfit(p)
	}
}

// otherThanSize reports whether the size of new pods is to blame for what has failed of a decision, which are then to be
// made again at once, and returns what has failed for another reason.
func otherThanSize(sizes *rightsizing.Round, done []planner.Action, err error) (blamed bool, rest error) {
	refusals, rest := fleet.SplitSizeRefusals(err)
	words, created := "", false
	if len(refusals) > 0 {
		words = refusals[0].Error()
	}
	for _, a := range done {
		created = created || a.Kind == planner.Create
	}
	if sizes.Blames(words, created) {
		return true, rest
	}
	return false, err
}

// raiseRunning gives running pods that have too little what is recommended.
func (r *round) raiseRunning(ctx context.Context) {
	if r.sizes.Active() {
		r.sizes.Raise(ctx, r.seen.staying(r.done))
	}
	r.recheckAt(r.sizes.RecheckAt)
}

// staying are the pods that have no grant, also not since a moment ago. One that waits to be started again after a crash
// is among them: it is to come back larger.
func (o *observation) staying(done []planner.Action) []*corev1.Pod {
	var staying []*corev1.Pod
	acted := make(map[string]bool, len(done))
	for _, a := range done {
		acted[a.Pod] = true
	}
	for i, p := range o.states {
		if (p.Phase == planner.Running || p.Phase == planner.Pending) && p.Grant.Reason == "" && !acted[p.Name] {
			staying = append(staying, o.pods[i])
		}
	}
	return staying
}

// sizeEvents are the events of right-sizing.
func sizeEvents(notes []rightsizing.Note) []report.Event {
	var events []report.Event
	for _, n := range notes {
		e := report.Event{Type: n.Type, Reason: n.Reason, Action: "RightSize", Note: n.Text}
		if n.Pod != "" {
			e.Pods = []string{n.Pod}
		}
		events = append(events, e)
	}
	return events
}
