package rightsize

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Fit gives a container the requests that are recommended. Limits keep their ratio to the requests, unless
// the policy keeps them as they are; then a request does not rise above its limit. What has no limit gets none.
func Fit(have corev1.ResourceRequirements, want corev1.ResourceList, p Policy) corev1.ResourceRequirements {
	fitted := *have.DeepCopy()
	for _, name := range resources {
		q, ok := want[name]
		if !ok {
			continue
		}
		request := amountOf(name, q)
		asked := requested(have, name)
		limit, limited := have.Limits[name]
		switch was := amountOf(name, asked); {
		case !limited:
		case p.keepsLimits():
			request = min(request, amountOf(name, limit))
		case was > 0:
			scaled := scale(amountOf(name, limit), request, was)
			fitted.Limits[name] = quantityOf(name, max(scaled, request))
		default: // a request of 0 has no ratio
			fitted.Limits[name] = quantityOf(name, max(amountOf(name, limit), request))
		}
		if fitted.Requests == nil {
			fitted.Requests = corev1.ResourceList{}
		}
		fitted.Requests[name] = quantityOf(name, request)
	}
	return fitted
}

// FitPod gives the containers of a new pod what is recommended for them, all or none: where the pod would
// change its class of service, as a guaranteed worker that becomes one that is killed first, it returns why
// nothing was changed. A pod without any requests may get some, it is not there yet.
func FitPod(spec *corev1.PodSpec, recommended []v1alpha1.ContainerRecommendation, p Policy) (changed []string, blocked string) {
	if spec.Resources != nil {
		return nil, "podSpec.resources bounds the pod as a whole; remove it to have its containers right-sized"
	}
	fitted := spec.DeepCopy()
	for _, r := range recommended {
		c := containerOf(fitted, r.Name)
		if c == nil {
			continue
		}
		before := c.Resources
		c.Resources = Fit(before, r.Requests, p)
		if !equal(before, c.Resources) {
			changed = append(changed, r.Name)
		}
	}
	if was, is := classOf(spec), classOf(fitted); was != is && was != corev1.PodQOSBestEffort {
		return nil, fmt.Sprintf("the pods would change their class of service from %s to %s; set rightSizing.controlledValues to RequestsAndLimits", was, is)
	}
	for _, name := range changed {
		containerOf(spec, name).Resources = containerOf(fitted, name).Resources
	}
	return changed, ""
}

// AsksMore reports whether a container requests or limits more of something than another.
func AsksMore(a, b corev1.ResourceRequirements) bool {
	for _, name := range resources {
		askedA, askedB := requested(a, name), requested(b, name)
		limitA, limitB := a.Limits[name], b.Limits[name]
		if askedA.Cmp(askedB) > 0 || limitA.Cmp(limitB) > 0 {
			return true
		}
	}
	return false
}

// equal reports whether both request and limit the same.
func equal(a, b corev1.ResourceRequirements) bool {
	return sameList(a.Requests, b.Requests) && sameList(a.Limits, b.Limits)
}

func sameList(a, b corev1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for name, q := range a {
		other, ok := b[name]
		if !ok || q.Cmp(other) != 0 {
			return false
		}
	}
	return true
}
