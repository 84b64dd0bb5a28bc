package rightsize

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// resources are those that are right-sized, in the order in which they are told of.
var resources = [...]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// An amount is thousandths of a core of CPU, or bytes of memory: what a request can be told apart by.
type amount = int64

// memoryGrain is what memory is rounded up to: 1 MiB.
const memoryGrain = 1 << 20

func amountOf(name corev1.ResourceName, q resource.Quantity) amount {
	if name == corev1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}

func quantityOf(name corev1.ResourceName, a amount) resource.Quantity {
	if name == corev1.ResourceCPU {
		return *resource.NewMilliQuantity(a, resource.DecimalSI)
	}
	return *resource.NewQuantity(a, resource.BinarySI)
}

// roundUp makes an amount of cores or bytes: whole thousandths of a core, whole MiB.
func roundUp(name corev1.ResourceName, value float64) amount {
	const most = float64(1 << 60) // whatever is more is infinite
	if name == corev1.ResourceCPU {
		return amount(min(math.Ceil(value*1000), most))
	}
	return amount(min(math.Ceil(value/memoryGrain)*memoryGrain, most))
}

// requested is a container's request as Kubernetes sees it: a limit without a request is the request too.
func requested(r corev1.ResourceRequirements, name corev1.ResourceName) resource.Quantity {
	if q, ok := r.Requests[name]; ok {
		return q
	}
	return r.Limits[name]
}

// MemoryRequest is the memory that a container requests, in bytes, 0 for none.
func MemoryRequest(r corev1.ResourceRequirements) int64 {
	asked := requested(r, corev1.ResourceMemory)
	return asked.Value()
}

// containerOf is the container of a name in a pod, nil where there is none.
func containerOf(spec *corev1.PodSpec, name string) *corev1.Container {
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			if containers[i].Name == name {
				return &containers[i]
			}
		}
	}
	return nil
}
