package sizing

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/rightsize"
)

// Recommend begins a round: it learns from what the workers use and from what they were killed for, and says what
// they need.
func (z *Sizer) Recommend(ctx context.Context, m *Memory, f Fleet) Round {
	r := Round{sizer: z, fleet: f, memory: m, active: f.wanted() && f.Newest != nil}
	r.Recommendations = f.QWorker.Status.Recommendations
	r.MostUsed = f.QWorker.Status.MaxContainerResourcesUsage
	if !f.wanted() {
		r.stop()
	}
	if !r.active {
		return r
	}
	r.policy = rightsize.PolicyOf(f.QWorker)
	r.restore(ctx)
	m.forgetRefusals(f.QWorker.Generation)
	containers := r.policy.Containers(f.Newest)
	learned := r.observeUsage(containers)
	killed := r.countKills(containers)
	r.forgetGone(containers)
	changed := r.refreshRecommendations(containers)
	r.checkFit()
	r.saveHistory(ctx, killed || changed, learned)
	return r
}

// stop forgets what is held where right-sizing is wanted no more; the history is read again should it be wanted
// again.
func (r *Round) stop() {
	if r.memory.history == nil && r.Recommendations == nil {
		return
	}
	r.sizer.Forget(r.fleet.name())
	*r.memory, r.Recommendations = Memory{}, nil
}

// staleAfter is how old a sample may be when it is read. What a metrics server keeps telling of a node that
// is gone, and what a wrong clock has dated, is no present usage, and a history that it enters is out of order.
const staleAfter = 10 * time.Minute

// observeUsage takes the samples that came since the last time, and reports whether there were any.
func (r *Round) observeUsage(containers []string) bool {
	m := r.memory
	r.usage = r.sizer.Usage.Ask(r.fleet.name())
	if r.usage.ReadAt.Equal(m.read) || r.usage.Err != nil {
		return false
	}
	m.read = r.usage.ReadAt
	r.MostUsed = copyOf(r.MostUsed)
	learned := false
	for _, pod := range r.fleet.Pods {
		used := r.usage.Pods[pod.Name] // a pod that is new or ended has none
		at := used.Time
		if at.IsZero() || at.After(m.read) {
			at = m.read // a node's clock may be wrong, and the history of all pods hangs on this
		}
		if m.read.Sub(at) > staleAfter {
			continue
		}
		for _, name := range containers {
			u, ok := used.Of(name)
			if !ok {
				continue
			}
			r.MostUsed = withUsage(r.MostUsed, name, u)
			learned = m.history.Observe(rightsize.Sample{
				Pod: pod.Name, Container: name, Time: at,
				CPU: u.CPU.AsApproximateFloat64(), Memory: u.Memory.AsApproximateFloat64(),
			}) || learned
		}
	}
	return learned
}

// forgetGone drops what is known of pods and containers that are gone.
func (r *Round) forgetGone(containers []string) {
	r.memory.history.KeepContainers(containers)
	r.memory.history.Keep(r.fleet.has)
}

// countKills counts the out-of-memory kills that the pods tell of, before any of the pods is cleared away.
// It reports whether there was a new one.
func (r *Round) countKills(containers []string) bool {
	var kills []rightsize.Kill
	counted := false
	for _, pod := range r.fleet.Pods {
		for _, kill := range rightsize.Kills(pod) {
			if !slices.Contains(containers, kill.Container) {
				continue
			}
			kills = append(kills, kill)
			template := containerIn(r.fleet.Newest, kill.Container)
			result := r.memory.history.Count(kill, r.policy.MemoryBounds(kill.Container, template.Resources), r.fleet.Now)
			if result == rightsize.Counted {
				continue
			}
			counted = true
			r.sizer.metrics.kill(r.fleet.name(), kill.Container)
			r.note(killNote(kill, result, r.policy))
		}
	}
	r.memory.history.KeepKills(kills, r.fleet.Now)
	return counted
}

// refreshRecommendations brings those of the status up to date, and reports whether one has changed.
func (r *Round) refreshRecommendations(containers []string) bool {
	before := map[string]*v1alpha1.ContainerRecommendation{}
	for i, stands := range r.Recommendations {
		before[stands.Name] = &r.Recommendations[i]
	}
	var fresh []v1alpha1.ContainerRecommendation
	changed := false
	for _, name := range containers {
		template := containerIn(r.fleet.Newest, name)
		is := r.memory.history.Recommend(name, r.policy, template.Resources, before[name], r.fleet.Now)
		if is == nil {
			continue
		}
		if is != before[name] {
			changed = true
			r.note(recommendationNote(*is, r.fleet.Pods))
		}
		fresh = append(fresh, *is)
	}
	r.Recommendations = fresh
	r.sizer.metrics.recommended(r.fleet.name(), fresh)
	return changed
}

func containerIn(spec *corev1.PodSpec, name string) corev1.Container {
	for _, c := range slices.Concat(spec.Containers, spec.InitContainers) {
		if c.Name == name {
			return c
		}
	}
	return corev1.Container{}
}
