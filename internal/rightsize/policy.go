package rightsize

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// defaultHeadroom is what is requested on top of the target. (logic/recommender.go:
// recommendation-margin-fraction)
const defaultHeadroom = 0.15

// Policy is what a QWorker's spec.rightSizing allows, with its defaults.
type Policy struct {
	spec v1alpha1.RightSizingSpec
}

// PolicyOf is the policy of a QWorker.
func PolicyOf(qw *v1alpha1.QWorker) Policy {
	if qw.Spec.RightSizing == nil {
		return Policy{}
	}
	return Policy{spec: *qw.Spec.RightSizing}
}

// Mode is where a recommendation goes.
func (p Policy) Mode() v1alpha1.RightSizingMode {
	if p.spec.Mode == "" {
		return v1alpha1.RightSizingInPlace
	}
	return p.spec.Mode
}

// Names reports whether the policy names a container.
func (p Policy) Names(container string) bool {
	_, least := p.spec.MinAllowed[container]
	_, most := p.spec.MaxAllowed[container]
	return least || most
}

// Containers are the names of the containers of a pod that are right-sized: all of the workers' own, and of
// the init containers and sidecars among them those that the policy names. Those that somebody injects are
// not in the podSpec and are left alone.
func (p Policy) Containers(spec *corev1.PodSpec) []string {
	var names []string
	for _, c := range spec.Containers {
		names = append(names, c.Name)
	}
	for _, c := range spec.InitContainers {
		if p.Names(c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Controls reports whether a resource is right-sized.
func (p Policy) Controls(name corev1.ResourceName) bool {
	return len(p.spec.ControlledResources) == 0 || slices.Contains(p.spec.ControlledResources, name)
}

// MemoryBounds is how far kills may raise the memory of a container that the podSpec gives so much.
func (p Policy) MemoryBounds(container string, template corev1.ResourceRequirements) Bounds {
	b := Bounds{Template: MemoryRequest(template), LimitsKept: p.keepsLimits()}
	if q := p.Max(container, corev1.ResourceMemory); q != nil {
		b.Maximum = amountOf(corev1.ResourceMemory, *q)
	}
	return b
}

// keepsLimits reports whether limits stay as they are.
func (p Policy) keepsLimits() bool { return p.spec.ControlledValues == v1alpha1.RequestsOnly }

// factor is what a target is multiplied with.
func (p Policy) factor() float64 {
	if p.spec.HeadroomPercent == nil {
		return 1 + defaultHeadroom
	}
	return 1 + float64(*p.spec.HeadroomPercent)/100
}

// Min is minAllowed of a container, nil for none; Max is maxAllowed. Each resource is looked up under the
// container's name, then under "*".
func (p Policy) Min(container string, name corev1.ResourceName) *resource.Quantity {
	return allowed(p.spec.MinAllowed, container, name)
}

// Max is maxAllowed of a container, nil for none.
func (p Policy) Max(container string, name corev1.ResourceName) *resource.Quantity {
	return allowed(p.spec.MaxAllowed, container, name)
}

// Crossing names the first bounds of which the minimum is above the maximum, "" where there are none. The API server
// cannot compare quantities that may be written without quotes.
func (p Policy) Crossing() string {
	names := slices.Sorted(maps.Keys(p.spec.MinAllowed))
	for _, container := range names {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			least, most := p.Min(container, name), p.Max(container, name)
			if least != nil && most != nil && least.Cmp(*most) > 0 {
				return fmt.Sprintf("rightSizing.minAllowed of container %q has %s of %s, which is more than the %s of rightSizing.maxAllowed", container, least, name, most)
			}
		}
	}
	return ""
}

func allowed(bounds map[string]v1alpha1.AllowedResources, container string, name corev1.ResourceName) *resource.Quantity {
	for _, key := range []string{container, v1alpha1.AnyContainer} {
		of := bounds[key]
		q := of.CPU
		if name == corev1.ResourceMemory {
			q = of.Memory
		}
		if q != nil {
			return q
		}
	}
	return nil
}
