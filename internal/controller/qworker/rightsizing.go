package qworker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/rightsize"
)

// Right-sizing never stops anything else: whatever fails here is told in the condition RightSizing and tried
// again, and the number of workers is not touched.

// sizes is what one reconciliation knows and did about the sizes of the workers.
type sizes struct {
	policy rightsize.Policy
	// usage is the metrics API's last answer.
	usage podmetrics.Snapshot
	// fitted is true where a new pod has other resources than its template; raised, where it asks for more.
	fitted, raised bool
	// blocked says why recommendations do not fit the podSpec, "" where they do.
	blocked string
	// waiting are the running pods that are yet to be raised; unable those whose nodes cannot, all of them
	// where the cluster cannot.
	waiting, unable []string
	// infeasible are those whose nodes can never give them all that is recommended.
	infeasible []string
	// refused are those that the API server does not raise.
	refused []string
	// err is what failed and is tried again.
	err   error
	notes []note
}

// sizeMemory is what is remembered of the sizes between two reconciliations. The history is saved, and a refusal of new
// pods is read from the status; the rest may be lost: running pods tell of their resizes, and one that the API server
// refuses is refused again.
type sizeMemory struct {
	history *rightsize.History
	saved   string
	savedAt time.Time
	// unsaved is true while something must not be lost and is not saved.
	unsaved bool
	// read is when the metrics were read that were looked at last.
	read   time.Time
	raised time.Time
	// failed is what failed in the last round of raises for no reason that lasts, nil where nothing did.
	failed error
	// create and resize say that what was recommended was refused: to new pods, to running ones.
	create, resize sizeRefusal
	// blameless is until when refusals of new pods are not taken for refusals of their size.
	blameless time.Time
	// refused has running pods that the API server does not raise, until when they are left alone.
	refused map[string]time.Time
	// tooMuch has what the nodes of running pods can never give them.
	tooMuch rightsize.TooMuch
	// generation is that of the spec to which the refusals belong.
	generation int64
}

// sizeRefusal is an answer that will be the same for a while: the API server's, for a LimitRange or a
// ResourceQuota, or the scheduler's, where no node has room.
type sizeRefusal struct {
	// reason and message are those of the condition.
	reason, message string
	until           time.Time
}

// blamelessFor is how long the size is not to blame for a refusal, after a pod of the template's size was refused
// as well. It is much longer than the longest pause between two tries, and begins anew with each refusal.
const blamelessFor = 5 * time.Minute

// refusalLasts is how long a refused size is not tried again.
const refusalLasts = 10 * time.Minute

func (r sizeRefusal) stands(now time.Time) bool { return now.Before(r.until) }

// forgetRefusals gives a spec that a person has changed another try.
func (m *sizeMemory) forgetRefusals(generation int64) {
	if m.generation != generation {
		m.generation, m.create, m.resize, m.blameless = generation, sizeRefusal{}, sizeRefusal{}, time.Time{}
		clear(m.refused)
	}
}

// sizesActive reports whether this QWorker is right-sized at all. activateVPA: false always wins.
func (s *scope) sizesActive() bool {
	return s.qw.Spec.ScaleConfig.ActivateVPA && !s.deleting() && s.newest != nil
}

// recommend learns from what the workers use and from what they were killed for, and says what they need.
func (s *scope) recommend(ctx context.Context) {
	if !s.sizesActive() {
		s.stopSizing()
		return
	}
	s.sizes.policy = rightsize.PolicyOf(s.qw)
	m := s.sizeMemory(ctx)
	m.forgetRefusals(s.qw.Generation)
	containers := s.sizes.policy.Containers(&s.newest.PodSpec)
	learned := s.observeUsage(m, containers)
	killed := s.countKills(m, containers)
	s.forgetGone(m, containers)
	changed := s.refreshRecommendations(m, containers)
	s.checkFit()
	s.saveHistory(ctx, m, killed || changed, learned)
}

// stopSizing forgets what is held where right-sizing is wanted no more; the history is read again should it
// be wanted again.
func (s *scope) stopSizing() {
	wanted := s.qw.Spec.ScaleConfig.ActivateVPA && !s.deleting()
	if wanted || (s.memory.sizes == nil && s.status.Recommendations == nil) {
		return
	}
	s.usage.Forget(s.name())
	s.metrics.sizes.forget(s.name())
	s.memory.sizes = nil
	s.status.Recommendations = nil
}

// staleAfter is how old a sample may be when it is read. What a metrics server keeps telling of a node that it
// has lost, and what a wrong clock has dated, is no present usage, and a history that it enters is out of order.
const staleAfter = 10 * time.Minute

// observeUsage takes the samples that came since the last time, and reports whether there were any.
func (s *scope) observeUsage(m *sizeMemory, containers []string) bool {
	s.sizes.usage = s.usage.Ask(s.name())
	if s.sizes.usage.ReadAt.Equal(m.read) || s.sizes.usage.Err != nil {
		return false
	}
	m.read = s.sizes.usage.ReadAt
	learned := false
	for _, pod := range s.pods {
		used := s.sizes.usage.Pods[pod.Name] // a pod that is new or ended has none
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
			s.noteMost(name, u)
			learned = m.history.Observe(rightsize.Sample{
				Pod: pod.Name, Container: name, Time: at,
				CPU: u.CPU.AsApproximateFloat64(), Memory: u.Memory.AsApproximateFloat64(),
			}) || learned
		}
	}
	return learned
}

// forgetGone drops what is known of pods and containers that are no more.
func (s *scope) forgetGone(m *sizeMemory, containers []string) {
	m.history.KeepContainers(containers)
	m.history.Keep(func(name string) bool {
		_, there := slices.BinarySearchFunc(s.pods, name, func(pod *corev1.Pod, name string) int { return strings.Compare(pod.Name, name) })
		return there
	})
}

// noteMost keeps the most that was seen in the status: it survives this process there.
func (s *scope) noteMost(container string, u podmetrics.Usage) {
	most := &s.status.MaxContainerResourcesUsage
	i := slices.IndexFunc(*most, func(c v1alpha1.ContainerResourcesUsage) bool { return c.Name == container })
	if i < 0 {
		i = len(*most)
		*most = append(*most, v1alpha1.ContainerResourcesUsage{Name: container, Usage: corev1.ResourceList{}})
	}
	seen := (*most)[i].Usage
	if cpu := resource.NewMilliQuantity(u.CPU.MilliValue(), resource.DecimalSI); cpu.Cmp(seen[corev1.ResourceCPU]) >= 0 {
		seen[corev1.ResourceCPU] = *cpu
	}
	if memory := resource.NewQuantity(u.Memory.Value(), resource.BinarySI); memory.Cmp(seen[corev1.ResourceMemory]) >= 0 {
		seen[corev1.ResourceMemory] = *memory
	}
}

// countKills counts the out-of-memory kills that the pods tell of, before any of the pods is cleared away.
// It reports whether there was a new one.
func (s *scope) countKills(m *sizeMemory, containers []string) bool {
	var kills []rightsize.Kill
	counted := false
	for _, pod := range s.pods {
		for _, kill := range rightsize.Kills(pod) {
			if !slices.Contains(containers, kill.Container) {
				continue
			}
			kills = append(kills, kill)
			verdict := m.history.Count(kill, s.sizes.policy.MemoryBounds(kill.Container, containerIn(&s.newest.PodSpec, kill.Container).Resources), s.now)
			if verdict == rightsize.Counted {
				continue
			}
			counted = true
			s.metrics.sizes.kill(s.name(), kill.Container)
			s.noteKill(kill, verdict)
		}
	}
	m.history.KeepKills(kills, s.now)
	return counted
}

// refreshRecommendations brings those of the status up to date, and reports whether one has changed.
func (s *scope) refreshRecommendations(m *sizeMemory, containers []string) bool {
	before := map[string]*v1alpha1.ContainerRecommendation{}
	for i, r := range s.status.Recommendations {
		before[r.Name] = &s.status.Recommendations[i]
	}
	var fresh []v1alpha1.ContainerRecommendation
	changed := false
	for _, name := range containers {
		template := containerIn(&s.newest.PodSpec, name)
		r := m.history.Recommend(name, s.sizes.policy, template.Resources, before[name], s.now)
		if r == nil {
			continue
		}
		if r != before[name] {
			changed = true
			s.noteRecommendation(*r)
		}
		fresh = append(fresh, *r)
	}
	s.status.Recommendations = fresh
	s.metrics.sizes.recommended(s.name(), fresh)
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

// checkFit tells what the recommendations do to a pod of the newest revision, if it can have them.
func (s *scope) checkFit() {
	template := &s.newest.PodSpec
	fitted := template.DeepCopy()
	var changed []string
	changed, s.sizes.blocked = rightsize.FitPod(fitted, s.status.Recommendations, s.sizes.policy)
	s.sizes.fitted = len(changed) > 0 && s.appliesToNew()
	for _, name := range changed {
		s.sizes.raised = s.sizes.raised || rightsize.AsksMore(containerIn(fitted, name).Resources, containerIn(template, name).Resources)
	}
}

// appliesToNew reports whether new pods get what is recommended.
func (s *scope) appliesToNew() bool {
	return s.sizes.policy.Mode() != v1alpha1.RightSizingOff && !s.memory.sizes.create.stands(s.now)
}

// sizePod gives a new pod what is recommended, in place of its template's requests, and lets it be resized
// without a restart. It is no part of the revision: a pod of another size is no outdated pod.
func (s *scope) sizePod(pod *corev1.Pod) {
	if !s.sizesActive() {
		return
	}
	if s.sizes.policy.Mode() == v1alpha1.RightSizingInPlace {
		resizeWithoutRestart(pod.Spec.Containers)
	}
	if !s.appliesToNew() {
		return
	}
	changed, _ := rightsize.FitPod(&pod.Spec, s.status.Recommendations, s.sizes.policy) // why not is told by checkFit
	if len(changed) > 0 {
		metav1.SetMetaDataAnnotation(&pod.ObjectMeta, annotationSized, strings.Join(changed, ","))
	}
}

// resizeWithoutRestart says so for every resource for which the user has not said otherwise.
func resizeWithoutRestart(containers []corev1.Container) {
	for i := range containers {
		c := &containers[i]
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			said := slices.ContainsFunc(c.ResizePolicy, func(p corev1.ContainerResizePolicy) bool { return p.ResourceName == name })
			if !said {
				c.ResizePolicy = append(c.ResizePolicy, corev1.ContainerResizePolicy{ResourceName: name, RestartPolicy: corev1.NotRequired})
			}
		}
	}
}

// fallBack takes the refusal of a pod of the recommended size for what it is: the next one is made as the
// template has it. Where that is refused too, the size was not to blame, and the failure is shown as any
// other. A quota that is used up is no reason to ask for more. It returns what else has failed.
func (s *scope) fallBack(err error) error {
	refusals, rest := fleet.SplitSizeRefusals(err)
	if !s.sizesActive() || s.memory.sizes == nil {
		return err
	}
	m := s.memory.sizes
	if slices.ContainsFunc(s.done, func(a planner.Action) bool { return a.Kind == planner.Create }) {
		m.blameless = time.Time{}
	}
	if len(refusals) == 0 {
		return err
	}
	switch words := refusals[0].Error(); {
	case m.create.reason == reasonSizeRefused && m.create.stands(s.now):
		m.create, m.blameless = sizeRefusal{}, s.now.Add(blamelessFor)
		return err
	case s.now.Before(m.blameless):
		m.blameless = s.now.Add(blamelessFor)
		return err
	case !s.sizes.fitted || !s.appliesToNew() || (!s.sizes.raised && strings.Contains(words, "exceeded quota")):
		return err
	default:
		m.create = refusalOf(reasonSizeRefused, words, s.now)
	}
	s.wakeAt(m.create.until)
	s.again = true
	return rest
}

func sizeText(r v1alpha1.ContainerRecommendation) string {
	var parts []string
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if q, ok := r.Requests[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %s", name, q.String()))
		}
	}
	return strings.Join(parts, ", ")
}
