package report

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Told is what is to be written of a QWorker.
type Told struct {
	Status v1alpha1.QWorkerStatus
	// Memory is to be handed to the next call.
	Memory Memory
	// RecheckAt is when time alone changes what is told, zero for never.
	RecheckAt time.Time
}

// Status is the status of a QWorker at a time. Written is the status that the API server has, and begun is the same with
// what this round has already put into it.
func Status(now time.Time, written, begun *v1alpha1.QWorkerStatus, o Observed, d Decided, done Done, m Memory) Told {
	t := Told{Status: *begun, Memory: m}
	st := &t.Status
	st.Conditions = slices.Clone(begun.Conditions)
	st.ObservedGeneration = o.Generation
	st.DesiredReplicas = d.Desired
	if o.Deleting {
		st.DesiredReplicas = 0
		d.Asked, d.Why = 0, "the QWorker is being deleted"
	}
	if d.Rollout.Publish != "" {
		st.CurrentPodSpecHash = d.Rollout.Publish
	}
	countPods(st, o.Pods, d.Rollout.Newest)
	fillDeparture(st, m.Departure)
	t.fillConditions(now, written, o, d, done)
	t.fillUnknownHolders(now, o.Recovery.UnknownHolders)
	t.fillFigures(now, written, o.Queue, d)
	return t
}

// Unseen is the status of a QWorker of which nothing was seen: nothing is new but why. A worker that goes by the figures
// must not leave because a list request failed.
func Unseen(now time.Time, begun *v1alpha1.QWorkerStatus, generation int64, failure Problem) v1alpha1.QWorkerStatus {
	st := *begun
	st.Conditions = slices.Clone(begun.Conditions)
	st.ObservedGeneration = generation
	set(&st, isNot(v1alpha1.ConditionReady, failure), now)
	st.Summary = summaryOf(st.Conditions, whyOf(st.Decision))
	return st
}

// fillConditions says how the fleet is, in the order in which a person asks.
func (t *Told) fillConditions(now time.Time, written *v1alpha1.QWorkerStatus, o Observed, d Decided, done Done) {
	st := &t.Status
	reachable := brokerReachable(o, d.Rollout, written.Conditions)
	ready, steadyAt := ready(now, st, o, d, done)
	ready = untilRead(ready, reachable)
	progressing := progressing(d.Rollout, st, o.Pods)
	var draining metav1.Condition
	draining, t.Memory.BusyLeaving, t.RecheckAt = drainingOf(now, o, st.LastDepartureTime != nil, t.Memory.BusyLeaving)
	if !steadyAt.IsZero() {
		t.RecheckAt = earliest(t.RecheckAt, steadyAt)
	}
	conditions := []metav1.Condition{
		ready, reachable, progressing, draining, tasksSeen(o, written.Conditions), tasksProtected(o, written.Conditions),
		scalingLimited(o.Queue.Known, d, written.Conditions), o.RightSizing, configRead(o.Config), contested(o.Operators),
	}
	for _, c := range append(conditions, kstatus(o, done, ready, progressing)...) {
		set(st, c, now)
	}
}
