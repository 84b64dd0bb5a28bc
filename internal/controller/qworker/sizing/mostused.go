package sizing

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/rightsize"
)

// withUsage is the most that was seen of each container, once one was seen to use so much. It is in the status, and
// survives this process there.
func withUsage(most []v1alpha1.ContainerResourcesUsage, container string, u podmetrics.Usage) []v1alpha1.ContainerResourcesUsage {
	i := slices.IndexFunc(most, func(c v1alpha1.ContainerResourcesUsage) bool { return c.Name == container })
	if i < 0 {
		i = len(most)
		most = append(most, v1alpha1.ContainerResourcesUsage{Name: container, Usage: corev1.ResourceList{}})
	}
	seen := most[i].Usage
	for name, used := range map[corev1.ResourceName]resource.Quantity{corev1.ResourceCPU: u.CPU, corev1.ResourceMemory: u.Memory} {
		if whole := rightsize.Whole(name, used); whole.Cmp(seen[name]) >= 0 {
			seen[name] = whole
		}
	}
	return most
}

// copyOf keeps the QWorker that a round was given as it is.
func copyOf(usages []v1alpha1.ContainerResourcesUsage) []v1alpha1.ContainerResourcesUsage {
	copies := slices.Clone(usages)
	for i := range copies {
		copies[i].Usage = usages[i].Usage.DeepCopy()
	}
	return copies
}
