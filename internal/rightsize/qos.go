package rightsize

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// classOf is the class of service that Kubernetes gives a pod. The API server refuses a resize that changes
// it. (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/)
func classOf(spec *corev1.PodSpec) corev1.PodQOSClass {
	some, guaranteed := false, true
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, name := range resources {
			asked := requested(c.Resources, name)
			limit, limited := c.Resources.Limits[name]
			if !asked.IsZero() || !limit.IsZero() {
				some = true
			}
			if !limited || limit.IsZero() || asked.Cmp(limit) != 0 {
				guaranteed = false
			}
		}
	}
	switch {
	case !some:
		return corev1.PodQOSBestEffort
	case guaranteed:
		return corev1.PodQOSGuaranteed
	default:
		return corev1.PodQOSBurstable
	}
}
