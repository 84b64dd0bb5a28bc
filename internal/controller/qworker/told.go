package qworker

import (
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/controller/qworker/report"
	rightsizing "github.com/quickube/qscaler/internal/controller/qworker/sizing"
	"github.com/quickube/qscaler/internal/controller/words"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/scaling"
)

// account is what is told of a round: what it has seen, decided and done.
type account struct {
	*observation
	results
	wanted    wanted
	decision  planner.Decision
	sizes     *rightsizing.Round
	creations creations
}

func (r *round) account() *account {
	return &account{
		observation: &r.seen, results: r.results, wanted: r.wanted, decision: r.decision, sizes: &r.sizes, creations: r.memory.creations,
	}
}

// seen is what the report is told of what was seen.
func (a *account) seen(last func(backlog.Key) backlog.Reading) report.Observed {
	return report.Observed{
		Generation: a.qw.Generation,
		Deleting:   a.deleting(),
		Stalled:    a.stalled,
		Pods:       a.seenPods(),
		Queue: report.Queue{
			Known: a.reading.Known, Waiting: a.reading.Depth.Waiting.N, InFlight: inFlight(a.reading.Depth), ReadAt: a.reading.ReadAt,
			Problem: brokerProblem(a.reading.Trouble()),
		},
		Recovery:     a.dead.reported(a.pods, holdup(a.observation, last)),
		Tasks:        a.seenTasks(),
		EndAfterTask: a.tasks().endWorkers(),
		Config:       a.podConfig.reported(),
	}
}

// seenTasks is what is not known of the tasks that workers are at.
func (a *account) seenTasks() report.Tasks {
	told := report.Tasks{Staying: a.decision.Staying}
	at, tasks := a.places(), a.tasks()
	for i := range a.states {
		p := &a.states[i]
		if p.Live() && !slices.Contains(told.Unseen, p.Revision) && tasks.mayHide(p.Revision, a.readingOf(at, p.Revision)) {
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

func (a *account) seenPods() []report.Pod {
	states := a.statesWithWork()
	pods := make([]report.Pod, len(states))
	minReady := rolloutOf(a.qw.Spec.Rollout).MinReady
	for i, pod := range a.pods {
		worker := a.revisions.workerOf(pod)
		pods[i] = report.Pod{
			Pod: states[i], Node: pod.Spec.NodeName, Unscheduled: slices.ContainsFunc(pod.Status.Conditions, isUnscheduled),
			SteadyAfter: fleet.SteadyAfter(pod, worker, minReady),
		}
		if states[i].Phase == planner.Terminating && fleet.Runs(pod, worker) {
			pods[i].Signalled = fleet.DeletedAt(pod)
		}
	}
	return pods
}

func isUnscheduled(c corev1.PodCondition) bool {
	return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
}

// decided is what the report is told of what was decided.
func (a *account) decided() report.Decided {
	larger := a.wanted.larger()
	d := report.Decided{Asked: larger.Asked, Why: larger.Why(), Desired: int32(larger.Desired), BackOff: a.decision.BackOff, Failures: a.decision.Failures, Rollout: a.rollout()}
	if limit := larger.Limit; limit != scaling.Unlimited {
		d.Limited = report.Problem{Reason: string(limit), Message: d.Why}
	}
	return d
}

// rollout is where the rollout stands, after what was done for it.
func (a *account) rollout() report.Rollout {
	newest := a.revisions.newest
	if newest == nil {
		return report.Rollout{}
	}
	spec := rolloutOf(a.qw.Spec.Rollout)
	told := report.Rollout{
		Newest: newest.Hash, Publish: a.publishes, Stage: a.decision.Stage, Proven: a.decision.Proven,
		Unstored: words.TextOf(a.unstored),
		Paused:   spec.Paused, MinReady: spec.MinReady, Obstacle: a.decision.Obstacle, Unread: brokerProblem(a.newestErr),
	}
	if slices.Contains(a.uncreated, newest.Hash) {
		failure := a.creations[newest.Hash].Err
		told.Uncreated = report.Uncreated{Message: failure.Error(), Quota: fleet.IsQuota(failure), Refused: fleet.PodRefused(failure)}
	}
	if kept := newest.Stop; kept.Generation == a.qw.Generation {
		told.Kept = report.Problem{Reason: kept.Reason, Message: kept.Message}
	}
	return told
}

// outcome is what the report is told of what came of the decision.
func (a *account) outcome(failure error) report.Done {
	canary := ""
	if newest := a.revisions.newest; newest != nil && a.decision.Stage == planner.Canary {
		canary = newest.Hash
	}
	blocking := a.creations.blocking(a.uncreated, canary)
	return report.Done{
		Failure: problemOf(failure), Uncreated: words.TextOf(blocking), PodRefused: fleet.PodRefused(blocking),
		Actions: a.done, Returned: a.dead.Returned, ReclaimFailed: words.TextOf(a.dead.Failure), Sizes: sizeEvents(a.sizes.Notes),
		ChangedConfig: a.changedConfig,
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
