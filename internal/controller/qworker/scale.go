package qworker

import (
	"math/big"
	"time"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/scaling"
)

const defaultScaleDownDelay = 30 * time.Second

// wanted is how many workers the queues of a fleet ask for.
type wanted struct {
	// published is what the queue of the published revision asks for. newest is the same for the newest revision where it
	// works on another queue, and else zero: both places ask for workers, each for its own.
	published, newest scaling.Decision
	// known is true once both are known. Before, the status keeps its figures.
	known bool
}

// larger is how many workers there shall be: the larger number counts.
func (w *wanted) larger() scaling.Decision {
	if w.newest.Desired > w.published.Desired {
		return w.newest
	}
	return w.published
}

// equals reports whether the planner is told the same by both.
func (w *wanted) equals(other wanted) bool {
	return w.published.Desired == other.published.Desired && w.published.Finishing == other.published.Finishing &&
		w.newest.Desired == other.newest.Desired
}

// scale decides how many workers there shall be.
func (r *round) scale() {
	r.memory.wasRead = r.memory.wasRead || r.seen.anyKnown()
	r.seen.dead.neverRead = !r.memory.wasRead
	at, leaving := r.seen.places(), r.seen.leaving(r.decision.Actions)
	memories := map[place]scaling.Memory{}
	decide := func(hash string, reading backlog.Reading, before int) scaling.Decision {
		here := at.placeOf(hash)
		d := scaling.Decide(r.seen.scalingInput(reading, leaving, before, r.seen.workersAt(hash), r.memory.scaling[here]))
		memories[here] = d.Memory
		r.recheckAt(d.Until)
		return d
	}
	main := ""
	if serving := r.seen.revisions.serving(); serving != nil {
		main = serving.Hash
	}
	r.wanted = wanted{published: decide(main, r.seen.reading, r.seen.before()), known: true}
	if r.seen.newestApart() {
		r.wanted.newest = decide(r.seen.revisions.newest.Hash, r.seen.elsewhere[r.seen.revisions.newest.Hash], 0)
	}
	r.memory.scaling = memories
}

// workersAt is how many workers count against the number that a queue asks for: those that work where the pods of a
// revision do. Canaries come on top of it.
func (o *observation) workersAt(hash string) int {
	at, n := o.places(), 0
	canary := ""
	if newest := o.revisions.newest; newest != nil && newest.Hash != o.status.CurrentPodSpecHash && newest.Hash != hash {
		canary = newest.Hash
	}
	for i := range o.states {
		if p := &o.states[i]; p.Capacity() && p.Revision != canary && at.key(p.Revision) == at.key(hash) {
			n++
		}
	}
	return n
}

// newestApart reports whether the newest revision works on another queue or broker than the published one.
func (o *observation) newestApart() bool {
	newest := o.revisions.newest
	return newest != nil && !o.deleting() && !o.places().shares(newest.Hash)
}

// before is the number of workers that was last decided on for the queue of the published revision. The status has that
// of the larger demand: no more of it can be for this queue than has pods.
func (o *observation) before() int {
	before := bounded(o.status.DesiredReplicas)
	if !o.newestApart() {
		return before
	}
	at, there := o.places(), 0
	for i := range o.states {
		if p := &o.states[i]; p.Live() && at.shares(p.Revision) {
			there++
		}
	}
	return min(before, there)
}

// scalingInput is what the number of workers depends on, with the queue as a reading has it.
func (o *observation) scalingInput(reading backlog.Reading, leaving map[string]bool, before, workers int, memory scaling.Memory) scaling.Input {
	return scaling.Input{
		Now:    o.now,
		Scale:  scaleOf(o.qw.Spec.ScaleConfig),
		Queue:  queueOf(reading, leaving),
		Before: before,
		Memory: memory,

		EndAfterTask: o.tasks().endWorkers(), Workers: workers,
	}
}

func scaleOf(c v1alpha1.ScaleConfig) scaling.Scale {
	scale := scaling.Scale{
		Min: bounded(c.MinReplicas), Max: bounded(c.MaxReplicas), PerMessage: big.NewRat(1, 1), DownDelay: defaultScaleDownDelay,
	}
	if c.ScaleDownDelay != nil {
		scale.DownDelay = c.ScaleDownDelay.Duration
	}
	switch {
	case c.MessagesPerWorker != nil:
		scale.PerMessage, scale.ByWorker = big.NewRat(1, int64(*c.MessagesPerWorker)), true
	case c.ScalingFactor != nil:
		if exact, ok := new(big.Rat).SetString(c.ScalingFactor.AsDec().String()); ok {
			scale.PerMessage = exact
		}
	}
	return scale
}

// bounded is a number of workers within what the schema accepts. An older one has accepted more.
func bounded(replicas int32) int { return int(min(replicas, v1alpha1.MostReplicas)) }

// queueOf is a reading as scaling sees it.
func queueOf(r backlog.Reading, leaving map[string]bool) scaling.Queue {
	q := scaling.Queue{
		Waiting:  countOf(r, r.Depth.Waiting),
		InFlight: countOf(r, r.Depth.InFlight),
		Stale:    r.Err != nil,
	}
	for worker := range leaving {
		q.Leaving += r.Depth.Held[worker]
	}
	return q
}

// countOf is a number of a reading as scaling sees it.
func countOf(r backlog.Reading, c broker.Count) scaling.Count {
	return scaling.Count{N: c.N, Known: r.Known && c.Known}
}

// leaving are the workers on their way out: terminating, let go by the present decision, or with a grant whose reason
// still holds. Those that have left on a grant, or by themselves after their task, are among them, and those whose
// tasks were returned: a reading that has them at a task is older than that.
func (o *observation) leaving(actions []planner.Action) map[string]bool {
	leaving := map[string]bool{}
	var f planner.Fleet
	if o.revisions.newest != nil {
		f.Newest = o.revisions.newest.Hash
	}
	for i, p := range o.states {
		if p.Phase == planner.Pending && p.Grant.Reason != "" {
			p = o.stateWithWork(o.places(), i) // it may be at a task that its kubelet has yet to tell of
		}
		granted := p.Phase == planner.Running && p.Grant.Reason != "" && !f.Obsolete(p)
		mayLeave := p.Grant.Reason != "" || o.tasks().endWorkers() && !p.EndedWell.IsZero()
		departed := p.Phase == planner.Left && mayLeave && p.Failure.At.IsZero()
		if p.Phase == planner.Terminating || granted || departed {
			leaving[p.Name] = true
		}
	}
	for _, worker := range o.dead.returned() {
		leaving[worker] = true
	}
	for _, a := range actions {
		if a.Kind == planner.GrantLeave || a.Kind == planner.SignalLeave {
			leaving[a.Pod] = true
		}
	}
	return leaving
}
