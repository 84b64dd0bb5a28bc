package rightsize

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ask is what a resize asks for: amounts by container and resource.
type ask map[string]amount

// TooMuch has, by pod, what was asked for and is more than its node can ever give. A kubelet refuses a resize as
// a whole; what is known here is not asked again, so that less, or the other resource, can be.
type TooMuch map[string][]ask

// Keep forgets the pods that are gone.
func (m TooMuch) Keep(exists func(pod string) bool) {
	for pod := range m {
		if !exists(pod) {
			delete(m, pod)
		}
	}
}

// note remembers what a pod asks for and cannot get, and reports whether that is known.
func (m TooMuch) note(pod *corev1.Pod, has *corev1.PodSpec) bool {
	asked := ask{}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		before := containerOf(has, c.Name)
		for _, name := range resources {
			wants, had := requested(c.Resources, name), requested(before.Resources, name)
			if wants.Cmp(had) > 0 {
				asked[c.Name+"/"+string(name)] = amountOf(name, wants)
			}
		}
	}
	if len(asked) > 0 && !m.includes(pod.Name, asked) {
		m[pod.Name] = append(m[pod.Name], asked)
	}
	return len(asked) > 0
}

// includes reports whether a pod cannot get what is asked for, because it could not get all of that or less.
func (m TooMuch) includes(pod string, asked ask) bool {
	return slices.ContainsFunc(m[pod], func(refused ask) bool {
		for what, a := range refused {
			if asked[what] < a {
				return false
			}
		}
		return true
	})
}

// allocated is a pod's spec with what its containers have, in place of what was asked for them.
func allocated(pod *corev1.Pod) *corev1.PodSpec {
	spec := pod.Spec.DeepCopy()
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		c := containerOf(spec, s.Name)
		if c == nil || s.Resources == nil {
			continue
		}
		for _, name := range resources {
			q, told := s.AllocatedResources[name]
			if !told {
				q, told = s.Resources.Requests[name]
			}
			if _, asked := c.Resources.Requests[name]; told && asked {
				c.Resources.Requests[name] = q
			}
			limit, told := s.Resources.Limits[name]
			if _, asked := c.Resources.Limits[name]; told && asked {
				c.Resources.Limits[name] = limit
			}
		}
	}
	return spec
}
