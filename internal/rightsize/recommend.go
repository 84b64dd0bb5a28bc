package rightsize

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Reason says what a recommended amount comes from.
type Reason string

const (
	// Used is the 90th percentile of the usage and the headroom.
	Used Reason = "Usage"
	// OutOfMemory is the memory that out-of-memory kills ask for.
	OutOfMemory Reason = "OutOfMemory"
	// ShortHistory is the podSpec's request, which is not lowered before the history is long enough.
	ShortHistory Reason = "ShortHistory"
	// MinAllowed is the user's lower bound.
	MinAllowed Reason = "MinAllowed"
	// MaxAllowed is the user's upper bound.
	MaxAllowed Reason = "MaxAllowed"
)

// deadBand is how far an amount must be off before it is changed: the share below which the Vertical Pod
// Autoscaler's updater leaves a pod alone. (updater/main.go: pod-update-threshold)
const deadBand = 0.1

// choice is one resource's amount and where it comes from.
type choice struct {
	amount amount
	reason Reason
	why    string
}

// Recommend says what a container is to request. template is the resources that the podSpec gives it, before
// the recommendation that stands. There is none without a sample and without a kill, and without a sample none
// below the template. A recommendation stands until one of its resources is off by more than a tenth, or out of
// bounds.
func (h *History) Recommend(container string, p Policy, template corev1.ResourceRequirements, before *v1alpha1.ContainerRecommendation, now time.Time) *v1alpha1.ContainerRecommendation {
	usage := h.Usage(container)
	requests := corev1.ResourceList{}
	var whys []string
	reason, moved := Used, false
	for _, name := range resources {
		if !p.Controls(name) {
			continue
		}
		stands, had := standing(before, name)
		c, known := h.choose(usage, container, name, p, template, before, now)
		switch {
		case known && (!had || off(c, amountOf(name, stands)) || h.outside(amountOf(name, stands), container, name, p, now)):
			requests[name] = quantityOf(name, c.amount)
			whys = append(whys, c.why)
			reason, moved = c.reason, true
		case known:
			requests[name] = stands
			whys = append(whys, c.why)
		}
	}
	switch {
	case len(requests) == 0:
		return nil
	case !moved && before != nil && len(requests) == len(before.Requests):
		return before
	}
	return &v1alpha1.ContainerRecommendation{
		Name: container, Requests: requests, Reason: string(reason), Message: strings.Join(whys, "; "),
		Since: metav1.NewTime(now.Truncate(time.Second)), Samples: usage.Samples,
	}
}

func standing(before *v1alpha1.ContainerRecommendation, name corev1.ResourceName) (resource.Quantity, bool) {
	if before == nil {
		return resource.Quantity{}, false
	}
	q, had := before.Requests[name]
	return q, had
}

// off reports whether an amount is so far from the one that stands that it takes its place. A bound is
// followed at once, and so is a kill.
func off(c choice, stands amount) bool {
	switch c.reason {
	case MaxAllowed:
		return c.amount != stands
	case MinAllowed, OutOfMemory:
		return c.amount > stands || beyond(stands, c.amount)
	case Used, ShortHistory:
	}
	return beyond(stands, c.amount)
}

// outside reports whether what stands breaks a bound, though what takes its place is near and within it.
func (h *History) outside(stands amount, container string, name corev1.ResourceName, p Policy, now time.Time) bool {
	least, most := p.Min(container, name), p.Max(container, name)
	switch {
	case most != nil && stands > amountOf(name, *most):
		return true
	case most != nil && stands == amountOf(name, *most): // which is more than any other bound may ask for
		return false
	case least != nil && stands < amountOf(name, *least):
		return true
	}
	return name == corev1.ResourceMemory && stands < h.Floor(container, now)
}

// beyond reports whether an amount is outside of the dead band around the one that stands.
func beyond(stands, value amount) bool {
	difference := value - stands
	if difference < 0 {
		difference = -difference
	}
	return float64(difference) > deadBand*float64(stands)
}

// choose decides on one resource. Each step may override the one before.
func (h *History) choose(u Usage, container string, name corev1.ResourceName, p Policy, template corev1.ResourceRequirements, before *v1alpha1.ContainerRecommendation, now time.Time) (choice, bool) {
	histogram := u.cpu
	if name == corev1.ResourceMemory {
		histogram = u.memory
	}
	var c choice
	estimate, known := u.estimate(histogram)
	if known {
		c = fromUsage(name, estimate, p, template)
	} else {
		c, known = unmeasured(name, template, before)
	}
	floor := int64(0)
	if name == corev1.ResourceMemory {
		floor = h.Floor(container, now)
	}
	known = known || floor > 0
	if floor > c.amount {
		c = choice{amount: roundUp(name, float64(floor)), reason: OutOfMemory, why: "memory: raised after out-of-memory kills"}
	}
	if !known {
		return choice{}, false
	}
	if q := p.Min(container, name); q != nil && c.amount < amountOf(name, *q) {
		c = choice{amount: amountOf(name, *q), reason: MinAllowed, why: fmt.Sprintf("%s: minAllowed", name)}
	}
	if q := p.Max(container, name); q != nil && c.amount > amountOf(name, *q) {
		c = choice{amount: amountOf(name, *q), reason: MaxAllowed, why: fmt.Sprintf("%s: maxAllowed, below what %s", name, asks(c.reason))}
	}
	return c, true
}

// unmeasured is what a container has where nothing was measured: the podSpec's request, or what was recommended
// before, if that is more. The history may be gone, and what was learned from it is not; but nothing that is
// known says that a worker could do with less than it was given. It is known only where something was learned.
func unmeasured(name corev1.ResourceName, template corev1.ResourceRequirements, before *v1alpha1.ContainerRecommendation) (choice, bool) {
	asked := requested(template, name)
	request := amountOf(name, asked)
	stands, had := standing(before, name)
	if learned := had && (before.Reason != string(ShortHistory) || before.Samples > 0); learned && amountOf(name, stands) > request {
		return choice{amount: amountOf(name, stands), reason: Used, why: fmt.Sprintf("%s: as recommended before", name)}, true
	}
	return choice{amount: request, reason: ShortHistory, why: fmt.Sprintf("%s: as in the podSpec, no usage was measured", name)}, false
}

func asks(r Reason) string {
	if r == OutOfMemory {
		return "out-of-memory kills ask for"
	}
	return "the usage asks for"
}

// fromUsage is the target and the headroom. The podSpec's request is lowered with more care than it is
// raised: a worker that gets too little loses its task.
//
//	     lowered to target                kept                raised to target
//	--------------------------|----------------------------|--------------------> target
//	       request > upper bound                        request
//
// That a request above the upper bound is one to change, and one below it is not, is the rule of the
// Vertical Pod Autoscaler's updater. Memory is in addition never lowered below the largest peak that the
// histogram remembers, since the limit follows the request.
func fromUsage(name corev1.ResourceName, e Estimate, p Policy, template corev1.ResourceRequirements) choice {
	target := e.Target * p.factor()
	c := choice{
		amount: roundUp(name, target), reason: Used,
		why: fmt.Sprintf("%s: 90th percentile of the usage and %.0f %%", name, 100*(p.factor()-1)),
	}
	asked := requested(template, name)
	request := amountOf(name, asked)
	if request <= c.amount {
		return c
	}
	if upper := e.Upper * p.factor(); request <= roundUp(name, upper) {
		return choice{amount: request, reason: ShortHistory, why: fmt.Sprintf("%s: as in the podSpec, until the history is long enough to lower it", name)}
	}
	if most := roundUp(name, e.Most); name == corev1.ResourceMemory && most > c.amount {
		c.amount = min(most, request)
		c.why = fmt.Sprintf("%s: the largest peak", name)
	}
	return c
}
