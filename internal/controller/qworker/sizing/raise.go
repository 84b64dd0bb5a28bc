package sizing

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// parallelResizes bounds the resizes of one round that are under way at once: a tenth of a large fleet is many.
const parallelResizes = 64

// Raise gives running pods that have too little what is recommended, a few at a time. The pods are those that stay:
// one that will be gone soon needs nothing.
func (r *Round) Raise(ctx context.Context, staying []*corev1.Pod) {
	if !r.active || r.policy.Mode() != v1alpha1.RightSizingInPlace {
		return
	}
	m, now := r.memory, r.fleet.Now
	raises := r.raisable(staying)
	switch {
	case len(raises) == 0:
		return
	case m.resize.stands(now):
		r.recheckAt(m.resize.until)
		r.refused, r.waiting = append(r.refused, r.waiting...), nil // they would be refused as the others were
		return
	case now.Sub(m.raised) < rightsize.RaiseInterval:
		r.recheckAt(m.raised.Add(rightsize.RaiseInterval))
		r.err = cmp.Or(r.err, m.failed)
		raises = slices.DeleteFunc(raises, func(r rightsize.Raise) bool { return !r.Killed })
		if len(raises) == 0 {
			return
		}
	}
	r.recheckAt(now.Add(rightsize.RaiseInterval))
	can, err := r.sizer.Cluster.Ask()
	switch {
	case err != nil:
		r.err = err
	case !can:
		r.unable, r.waiting = append(r.unable, r.waiting...), nil
	default:
		m.raised = now
		r.resize(ctx, raises[:min(len(raises), rightsize.Round(len(r.fleet.Pods)))])
	}
}

// raisable are the running pods that are to be raised, without those for which it is of no use to try.
func (r *Round) raisable(staying []*corev1.Pod) []rightsize.Raise {
	var raises []rightsize.Raise
	m, now := r.memory, r.fleet.Now
	for _, raise := range rightsize.Raises(staying, r.Recommendations, r.policy, m.tooMuch, now) {
		if raise.Infeasible {
			r.infeasible = append(r.infeasible, raise.Pod)
		}
		switch until := m.refused[raise.Pod]; {
		case len(raise.Containers) == 0:
		case raise.Unsupported:
			r.unable = append(r.unable, raise.Pod)
		case now.Before(until):
			r.recheckAt(until)
			r.refused = append(r.refused, raise.Pod)
		default:
			raises = append(raises, raise)
			r.waiting = append(r.waiting, raise.Pod)
		}
	}
	m.tooMuch.Keep(r.fleet.has)
	maps.DeleteFunc(m.refused, func(_ string, until time.Time) bool { return !now.Before(until) })
	return raises
}

// resize carries one round out. Where all of it is refused, the rest of the fleet would be too.
func (r *Round) resize(ctx context.Context, round []rightsize.Raise) {
	errs, resized := make([]error, len(round)), make([]bool, len(round))
	var calls errgroup.Group
	calls.SetLimit(parallelResizes)
	for i, raise := range round {
		calls.Go(func() error {
			resized[i], errs[i] = r.sizer.Pods.Resize(ctx, r.fleet.QWorker, r.fleet.pod(raise.Pod), raise.Containers)
			return nil
		})
	}
	_ = calls.Wait() // what failed is in errs
	var done []string
	m, until := r.memory, r.fleet.Now.Add(refusalLasts)
	m.failed = nil
	refused, failed := 0, 0
	for i, err := range errs {
		switch {
		case err == nil && !resized[i]: // it has changed or gone, and is neither
		case err == nil:
			done = append(done, round[i].Pod)
		case apierrors.IsForbidden(err) || apierrors.IsInvalid(err):
			refused++
			failed++
			r.refused = append(r.refused, round[i].Pod)
			m.refused[round[i].Pod] = until
			m.resize.message = err.Error()
		default:
			failed++
			m.failed = err
		}
	}
	r.err = cmp.Or(r.err, m.failed)
	if refused == len(round) {
		m.resize.until = until
	}
	r.sizer.metrics.resizes(r.fleet.name(), len(done), failed)
	if len(done) > 0 {
		r.note(resizesNote(done))
	}
}
