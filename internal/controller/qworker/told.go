package qworker

import (
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/scaling"
)

// observed is what the report is told of what was seen.
func (r *round) observed() report.Observed {
	condition := r.sizes.Condition(r.staying(r.done))
	r.recheckAt(r.sizes.RecheckAt)
	operators := r.memory.writers.note(r.operator, r.qw, r.now)
	r.recheckAt(r.memory.writers.recheckAt())
	return report.Observed{
		Generation: r.qw.Generation,
		Deleting:   r.deleting(),
		Stalled:    r.stalled,
		Pods:       r.reportedPods(),
		Queue: report.Queue{
			Known: r.reading.Known, Waiting: r.reading.Depth.Waiting.N, InFlight: inFlight(r.reading.Depth), ReadAt: r.reading.ReadAt,
			Problem: brokerProblem(r.reading.Err), WriteEvery: r.queueStatusInterval,
		},
		Recovery:    r.dead.reported(r.pods, holdup(&r.observation, r.backlog.Last)),
		Tasks:       r.tasks(r.decision.Staying),
		RightSizing: condition,

		EndAfterTask: r.endAfterTask(),
		Operators:    operators,
	}
}

// tasks is what is not known of the tasks that workers are at.
func (o *observation) tasks(staying int) report.Tasks {
	told := report.Tasks{Staying: staying}
	at := o.places()
	for i := range o.states {
		p := &o.states[i]
		if p.Live() && !slices.Contains(told.Unseen, p.Revision) && o.unseen(p.Revision, o.readingOf(at, p.Revision)) {
			told.Unseen = append(told.Unseen, p.Revision)
		}
	}
	slices.Sort(told.Unseen)
	return told
}

// inFlight is nil where the broker cannot say.
func inFlight(depth broker.Depth) *int64 {
	if !depth.InFlight.Known {
		return nil
	}
	return ptr.To(depth.InFlight.N)
}

func (o *observation) reportedPods() []report.Pod {
	states := o.statesWithWork()
	pods := make([]report.Pod, len(states))
	for i, pod := range o.pods {
		pods[i] = report.Pod{Pod: states[i], Node: pod.Spec.NodeName, Unscheduled: slices.ContainsFunc(pod.Status.Conditions, isUnscheduled)}
		if states[i].Phase == planner.Terminating && fleet.Runs(pod, o.revisions.workerOf(pod)) {
			pods[i].Signalled = fleet.DeletedAt(pod)
		}
	}
	return pods
}

func isUnscheduled(c corev1.PodCondition) bool {
	return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
}

// decided is what the report is told of what was decided.
func (r *round) decided() report.Decided {
	size := r.desired()
	d := report.Decided{Desired: int32(size.Desired), BackOff: r.decision.BackOff, Rollout: r.rollout()}
	if limit := size.Limit; limit != scaling.Unlimited {
		d.Limited = report.Problem{Reason: string(limit), Message: size.Note(scaling.Clamp).Why}
	}
	return d
}

// rollout is where the rollout stands, after what was done for it.
func (r *round) rollout() report.Rollout {
	newest := r.revisions.newest
	if newest == nil {
		return report.Rollout{}
	}
	spec := rolloutOf(r.qw.Spec.Rollout)
	told := report.Rollout{
		Newest: newest.Hash, Publish: r.publishes, Stage: r.decision.Stage, Proven: r.decision.Proven,
		Unstored: textOf(r.unstored),
		Paused:   spec.Paused, MinReady: spec.MinReady, Obstacle: r.decision.Obstacle, Unread: brokerProblem(r.newestErr),
	}
	if slices.Contains(r.refused, newest.Hash) {
		refusal := r.memory.creations[newest.Hash].Err
		told.Refusal = report.Refusal{Message: refusal.Error(), Quota: fleet.IsQuota(refusal), Lasting: fleet.CreationRefused(refusal)}
	}
	if kept := newest.Stop; kept.Generation == r.qw.Generation {
		told.Kept = report.Problem{Reason: kept.Reason, Message: kept.Message}
	}
	return told
}

// outcome is what the report is told of what came of the decision.
func (r *round) outcome(failure error) report.Done {
	canary := ""
	if newest := r.revisions.newest; newest != nil && r.decision.Stage == planner.Canary {
		canary = newest.Hash
	}
	return report.Done{
		Failure: problemOf(failure), Refused: textOf(r.memory.creations.blocking(r.refused, canary)),
		Actions: r.done, Returned: r.dead.Returned, ReclaimFailed: textOf(r.dead.Refusal), Sizes: sizeEvents(r.sizes.Notes),
	}
}

// problemOf is why a round could not be finished, nil where it could.
func problemOf(failure error) *report.Problem {
	switch {
	case failure == nil:
		return nil
	case errors.As(failure, new(unread)):
		return &report.Problem{Reason: report.ReasonReadFailed, Message: failure.Error()}
	}
	return &report.Problem{Reason: report.ReasonWriteFailed, Message: failure.Error()}
}

// brokerProblem is why a queue cannot be read, nil where it can.
func brokerProblem(err error) *report.Problem {
	if err == nil {
		return nil
	}
	return &report.Problem{Reason: string(broker.ReasonOf(err)), Message: err.Error()}
}

// textOf has the words of an error, none where there is none.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
