package simulation

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/worker/contract"
)

// asked is the most workers that the queue has asked for lately: the operator goes down by the highest number of a
// window, and sees some things late.
type asked struct {
	clear   int // seconds in which the operator saw everything
	samples []sample
}

type sample struct{ clear, workers int }

// lately is for how many such seconds the operator may use old numbers: scaleDownDelay, and what a restart costs.
const lately = 20

// everySecond begins another second.
func (a *asked) everySecond(i *invariants) {
	if i.away.IsZero() && !i.w.queues.deaf && i.w.blind == 0 && i.w.away == 0 {
		a.clear++
	}
	for len(a.samples) > 0 && a.samples[0].clear+lately < a.clear {
		a.samples = a.samples[1:]
	}
	a.note(i)
}

// note is called whenever the queue may ask for more.
func (a *asked) note(i *invariants) { a.samples = append(a.samples, sample{a.clear, i.askedNow()}) }

// restarted is called when another operator begins: it uses the status for a while, which may be old where it could
// not be written.
func (a *asked) restarted(q *v1alpha1.QWorker) {
	if q != nil {
		a.samples = append(a.samples, sample{a.clear, int(q.Status.DesiredReplicas)})
	}
}

// interrupted is called when a worker is gone and its task returns. The task asks for another worker again, beside
// the last reading, which may be older than what has been done since.
func (a *asked) interrupted(p *process) {
	if p != nil && !p.idle() {
		a.samples = append(a.samples, sample{a.clear, a.most() + 1})
	}
}

// unheard is called when a worker is gone that has done its task, and the last reading still has the task, because no
// doorbell has rung since. The task counts again once the worker is gone, as one that returns does, until the next reading.
func (a *asked) unheard() { a.samples = append(a.samples, sample{a.clear, a.most() + 1}) }

func (a *asked) most() int {
	most := 0
	for _, s := range a.samples {
		most = max(most, s.workers)
	}
	return most
}

// askedNow is a worker for each message, without those of leaving workers, and at least the minimum.
func (i *invariants) askedNow() int {
	workers, held := i.w.queues.depth(queue)
	for worker, n := range held {
		if !i.leavesForSure(worker) {
			workers += n
		}
	}
	for _, q := range []*v1alpha1.QWorker{i.w.qworker(), i.w.viewed()} {
		if q != nil {
			workers = max(workers, int(q.Spec.ScaleConfig.MinReplicas))
		}
	}
	return workers
}

// leavesForSure reports whether everybody can see that a worker is leaving: its task needs no other worker.
func (i *invariants) leavesForSure(worker string) bool {
	pod, ok := i.w.server.get(pods, worker).(*corev1.Pod)
	if !ok {
		return false
	}
	now, shown := stateOf(pod, i.w.server.get), stateOf(pod, i.w.view.get)
	switch now.Grant.Reason {
	case contract.ReasonScaleDown, contract.ReasonDelete:
		return true
	case contract.ReasonNodeDrain:
		return now.NodeLeaving && shown.NodeLeaving
	case contract.ReasonRollout:
		q, viewed := i.w.qworker(), i.w.viewed()
		return q != nil && viewed != nil && imageOf(pod) != imageOfSpec(q) && imageOf(pod) != imageOfSpec(viewed)
	}
	seen, ok := i.w.view.get(pods, worker).(*corev1.Pod)
	return now.Phase == planner.Terminating && ok && seen.DeletionTimestamp != nil
}

// within is how many workers there shall be when the queue asks for so many.
func within(workers int, q *v1alpha1.QWorker) int {
	return min(max(workers, int(q.Spec.ScaleConfig.MinReplicas)), int(q.Spec.ScaleConfig.MaxReplicas))
}

// budget is how many workers there may be beyond desired, and how many available ones fewer, while some are replaced.
func budget(q *v1alpha1.QWorker, desired int) (surge, unavailable int) {
	of := func(amount *intstr.IntOrString, up bool) int {
		n, err := intstr.GetScaledValueFromIntOrPercent(amount, desired, up)
		if err != nil {
			panic(err) // the world sets only valid ones
		}
		return n
	}
	surge, unavailable = of(q.Spec.Rollout.MaxSurge, true), of(q.Spec.Rollout.MaxUnavailable, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}
