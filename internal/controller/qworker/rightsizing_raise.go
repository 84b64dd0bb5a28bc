package qworker

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
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/rightsize"
)

// parallelResizes bounds the resizes of one round that are under way at once: a tenth of a large fleet is many.
const parallelResizes = 64

// raiseRunning gives running pods that have too little what is recommended, a few at a time.
func (s *scope) raiseRunning(ctx context.Context) {
	if !s.sizesActive() || s.sizes.policy.Mode() != v1alpha1.RightSizingInPlace {
		return
	}
	m := s.memory.sizes
	raises := s.raisable()
	switch {
	case len(raises) == 0:
		return
	case m.resize.stands(s.now):
		s.wakeAt(m.resize.until)
		return
	case s.now.Sub(m.raised) < rightsize.RaiseInterval:
		s.wakeAt(m.raised.Add(rightsize.RaiseInterval))
		s.sizes.err = cmp.Or(s.sizes.err, m.failed)
		raises = slices.DeleteFunc(raises, func(r rightsize.Raise) bool { return !r.Killed })
		if len(raises) == 0 {
			return
		}
	}
	s.wakeAt(s.now.Add(rightsize.RaiseInterval))
	can, err := s.resizable.Ask()
	switch {
	case err != nil:
		s.sizes.err = err
	case !can:
		s.sizes.unable, s.sizes.waiting = s.sizes.waiting, nil
	default:
		m.raised = s.now
		s.resize(ctx, raises[:min(len(raises), rightsize.Round(len(s.pods)))])
	}
}

// raisable are the running pods that are to be raised, without those for which it is of no use to try.
func (s *scope) raisable() []rightsize.Raise {
	var raises []rightsize.Raise
	refused := s.memory.sizes.refused
	for _, r := range rightsize.Raises(s.stayingPods(), s.status.Recommendations, s.sizes.policy, s.memory.sizes.tooMuch, s.now) {
		if r.Infeasible {
			s.sizes.infeasible = append(s.sizes.infeasible, r.Pod)
		}
		switch until := refused[r.Pod]; {
		case len(r.Containers) == 0:
		case r.Unsupported:
			s.sizes.unable = append(s.sizes.unable, r.Pod)
		case s.now.Before(until):
			s.wakeAt(until)
			s.sizes.refused = append(s.sizes.refused, r.Pod)
		default:
			raises = append(raises, r)
			s.sizes.waiting = append(s.sizes.waiting, r.Pod)
		}
	}
	if len(s.memory.sizes.tooMuch) > 0 {
		s.memory.sizes.tooMuch.Keep(func(name string) bool {
			return slices.ContainsFunc(s.pods, func(pod *corev1.Pod) bool { return pod.Name == name })
		})
	}
	maps.DeleteFunc(refused, func(_ string, until time.Time) bool { return !s.now.Before(until) })
	return raises
}

// resize carries one round out. Where all of it is refused, the rest of the fleet would be too.
func (s *scope) resize(ctx context.Context, round []rightsize.Raise) {
	byName := make(map[string]*corev1.Pod, len(s.pods))
	for _, pod := range s.pods {
		byName[pod.Name] = pod
	}
	errs, resized := make([]error, len(round)), make([]bool, len(round))
	var calls errgroup.Group
	calls.SetLimit(parallelResizes)
	for i, r := range round {
		calls.Go(func() error {
			resized[i], errs[i] = s.fleets.Resize(ctx, s.qw, byName[r.Pod], r.Containers)
			return nil
		})
	}
	_ = calls.Wait() // what failed is in errs
	var done []string
	m, until := s.memory.sizes, s.now.Add(refusalLasts)
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
			s.sizes.refused = append(s.sizes.refused, round[i].Pod)
			m.refused[round[i].Pod] = until
			m.resize.message = err.Error()
		default:
			failed++
			m.failed = err
		}
	}
	s.sizes.err = cmp.Or(s.sizes.err, m.failed)
	if refused == len(round) {
		m.resize.until = until
	}
	s.metrics.sizes.resizes(s.name(), len(done), failed)
	s.noteResizes(done)
}

// stayingPods are the pods that have no leave to go, also not since a moment ago: one that will be gone soon needs
// nothing. One that waits to be started again after a crash is among them: it is to come back larger.
func (s *scope) stayingPods() []*corev1.Pod {
	var staying []*corev1.Pod
	acted := make(map[string]bool, len(s.done))
	for _, a := range s.done {
		acted[a.Pod] = true
	}
	for i, p := range s.states {
		if (p.Phase == planner.Running || p.Phase == planner.Pending) && p.Grant.Reason == "" && !acted[p.Name] {
			staying = append(staying, s.pods[i])
		}
	}
	return staying
}
