package rightsize

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

const (
	// RaiseInterval is the pause between two rounds of raises of one QWorker.
	RaiseInterval = 10 * time.Second
	// raiseShare and raiseLeast are how many running pods are raised in one round: a tenth, and at least
	// five. A node's kubelet takes resizes one at a time, and a recommendation that was wrong is to be
	// seen before it has reached the whole fleet.
	raiseShare = 0.1
	raiseLeast = 5
)

// Raise is a running pod that is to get more.
type Raise struct {
	Pod string
	// Containers has the resources of the containers that are to change, none where nothing of use can be asked.
	Containers map[string]corev1.ResourceRequirements
	// Killed is true where a container was killed for want of memory within the hour; it is not to wait for its
	// turn. A pod tells of its last kill as long as it lives.
	Killed bool
	// Unsupported is true where the pod's node cannot resize it.
	Unsupported bool
	// Infeasible is true where the pod's node can never give all that is recommended.
	Infeasible bool
}

// Raises are the pods that have less than is recommended by more than a tenth, in the order in which they are
// to be raised: those that were killed for want of memory lately first, then by name. Pods that are leaving or not
// running are not among them, and nobody is lowered below what it has. What a node can never give is noted in
// tooMuch; the rest is asked for without it.
func Raises(pods []*corev1.Pod, recommended []v1alpha1.ContainerRecommendation, p Policy, tooMuch TooMuch, now time.Time) []Raise {
	var raises []Raise
	for _, pod := range pods {
		if r := raiseOf(pod, recommended, p, tooMuch, now); len(r.Containers) > 0 || r.Infeasible {
			raises = append(raises, r)
		}
	}
	slices.SortStableFunc(raises, func(a, b Raise) int {
		switch {
		case a.Killed == b.Killed:
			return cmp.Compare(a.Pod, b.Pod)
		case a.Killed:
			return -1
		default:
			return 1
		}
	})
	return raises
}

// Round is how many of a fleet's pods are raised at once.
func Round(fleet int) int { return max(int(raiseShare*float64(fleet)), raiseLeast) }

// parts are what is asked for, one after the other, until a node can give it. Memory comes first: for want of it
// workers are killed.
var parts = [...][]corev1.ResourceName{resources[:], {corev1.ResourceMemory}, {corev1.ResourceCPU}}

func raiseOf(pod *corev1.Pod, recommended []v1alpha1.ContainerRecommendation, p Policy, tooMuch TooMuch, now time.Time) Raise {
	r := Raise{Pod: pod.Name}
	if pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning || pod.Spec.Resources != nil {
		return r
	}
	has, refused := &pod.Spec, StateOf(pod) == Infeasible
	if refused {
		if has = allocated(pod); !tooMuch.note(pod, has) {
			r.Infeasible = true // of what, nobody tells
			return r
		}
	}
	kills := Kills(pod)
	r.Unsupported = !nodeResizes(pod)
	r.Killed = slices.ContainsFunc(kills, func(k Kill) bool { return now.Sub(k.when(now)) < repeatedWithin })
	for i, part := range parts {
		raised, asked := raise(has, recommended, p, part, kills)
		switch {
		case len(asked) == 0 && i == 0 && refused:
			r.Containers = differing(&pod.Spec, has) // to ask for nothing more takes back what was asked
			return r
		case len(asked) == 0 && i == 0:
			return r
		case len(asked) == 0 || classOf(raised) != classOf(&pod.Spec):
		case tooMuch.includes(pod.Name, asked):
			r.Infeasible = true
		default:
			r.Containers = differing(&pod.Spec, raised)
			return r
		}
	}
	return r
}

// raise is what a pod that has so much would have with what is recommended of some resources, and what is to
// be asked for that.
func raise(has *corev1.PodSpec, recommended []v1alpha1.ContainerRecommendation, p Policy, names []corev1.ResourceName, kills []Kill) (*corev1.PodSpec, ask) {
	raised, asked := has, ask(nil) // copied for the few that are raised: a fleet has ten thousand pods
	for _, rec := range recommended {
		c := containerOf(raised, rec.Name)
		if c == nil || endsBeforeWork(raised, c) {
			continue
		}
		want := less(c, rec.Requests, names, killedBelow(kills, rec))
		if len(want) == 0 {
			continue
		}
		fitted := Fit(c.Resources, want, p)
		if equal(fitted, c.Resources) {
			continue
		}
		if asked == nil {
			raised, asked = has.DeepCopy(), ask{}
			c = containerOf(raised, rec.Name)
		}
		c.Resources = fitted
		for name := range want {
			asked[rec.Name+"/"+string(name)] = amountOf(name, fitted.Requests[name])
		}
	}
	return raised, asked
}

// endsBeforeWork reports whether a container is an init container and no sidecar: it has ended in a running pod,
// and the API server refuses to resize it.
func endsBeforeWork(spec *corev1.PodSpec, c *corev1.Container) bool {
	first := slices.ContainsFunc(spec.InitContainers, func(i corev1.Container) bool { return i.Name == c.Name })
	return first && (c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways)
}

// killedBelow reports whether a container was killed with less memory than is recommended.
func killedBelow(kills []Kill, rec v1alpha1.ContainerRecommendation) bool {
	return slices.ContainsFunc(kills, func(k Kill) bool {
		return k.Container == rec.Name && k.Request < memoryIn(rec.Requests)
	})
}

// differing has the resources of the containers that are to have others than a pod's spec says.
func differing(from, to *corev1.PodSpec) map[string]corev1.ResourceRequirements {
	changed := map[string]corev1.ResourceRequirements{}
	for _, c := range slices.Concat(to.InitContainers, to.Containers) {
		if before := containerOf(from, c.Name); !equal(before.Resources, c.Resources) {
			changed[c.Name] = c.Resources
		}
	}
	return changed
}

// nodeResizes reports whether the pod's node can resize it, by the rule by which the API server refuses what
// it cannot: the kubelet then tells the resources of a running container.
// (kubernetes/pkg/apis/core/validation: isPodResizeRequestSupported)
func nodeResizes(pod *corev1.Pod) bool {
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Running != nil {
			return s.Resources != nil
		}
	}
	return true
}

// less has those of the recommended requests, of some resources, that the container has clearly less of. What it does not
// request at all, and what cannot change without a restart, stays. To one that was killed for want of memory a
// little more is something: it may be the last that maxAllowed leaves.
func less(c *corev1.Container, recommended corev1.ResourceList, names []corev1.ResourceName, killed bool) corev1.ResourceList {
	var want corev1.ResourceList
	for _, name := range names {
		q, ok := recommended[name]
		asked := requested(c.Resources, name)
		has := amountOf(name, asked)
		restarts := slices.ContainsFunc(c.ResizePolicy, func(rp corev1.ContainerResizePolicy) bool {
			return rp.ResourceName == name && rp.RestartPolicy == corev1.RestartContainer
		})
		if ok && has > 0 && !restarts && amountOf(name, q) > has && (beyond(has, amountOf(name, q)) || (killed && name == corev1.ResourceMemory)) {
			if want == nil {
				want = corev1.ResourceList{}
			}
			want[name] = q
		}
	}
	return want
}

// ResizeState is how far the kubelet has come with a resize.
type ResizeState string

const (
	// Settled is a pod that has what its spec says.
	Settled ResizeState = ""
	// InProgress is being carried out.
	InProgress ResizeState = "InProgress"
	// Deferred waits for room on the node; the kubelet tries again by itself.
	Deferred ResizeState = corev1.PodReasonDeferred
	// Infeasible is more than the node can ever give; the pod keeps what it has.
	Infeasible ResizeState = corev1.PodReasonInfeasible
)

// StateOf reads it from a pod's conditions. One that is about an earlier size says nothing of the present one,
// which the kubelet has yet to look at.
func StateOf(pod *corev1.Pod) ResizeState {
	state := Settled
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == corev1.PodResizePending && c.ObservedGeneration > 0 && c.ObservedGeneration < pod.Generation:
			state = InProgress
		case c.Type == corev1.PodResizePending && strings.EqualFold(c.Reason, corev1.PodReasonInfeasible):
			return Infeasible
		case c.Type == corev1.PodResizePending:
			state = Deferred
		case c.Type == corev1.PodResizeInProgress && state == Settled:
			state = InProgress
		}
	}
	return state
}
