package rightsize

import (
	"math"
	"math/bits"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// resources are those that are right-sized, in the order in which they are told of.
var resources = [...]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// An amount is thousandths of a core of CPU, or bytes of memory: what a request can be told apart by.
type amount = int64

// memoryGrain is what memory is rounded up to: 1 MiB.
const memoryGrain = 1 << 20

// mostMemory and mostCPU are the largest quantities that are an amount. Quantities go further: "10E" is one of memory.
var (
	mostMemory = *resource.NewQuantity(math.MaxInt64, resource.BinarySI)
	mostCPU    = *resource.NewMilliQuantity(math.MaxInt64, resource.DecimalSI)
)

// amountOf is the amount of a quantity, rounded up. What is more than any amount is the largest one: Quantity's own
// conversions make 0 of it.
func amountOf(name corev1.ResourceName, q resource.Quantity) amount {
	most, scale := mostMemory, resource.Scale(0)
	if name == corev1.ResourceCPU {
		most, scale = mostCPU, resource.Milli
	}
	if q.Cmp(most) >= 0 {
		return math.MaxInt64
	}
	return q.ScaledValue(scale)
}

func quantityOf(name corev1.ResourceName, a amount) resource.Quantity {
	if name == corev1.ResourceCPU {
		return *resource.NewMilliQuantity(a, resource.DecimalSI)
	}
	return *resource.NewQuantity(a, resource.BinarySI)
}

// Whole is a quantity in whole thousandths of a core, or whole bytes.
func Whole(name corev1.ResourceName, q resource.Quantity) resource.Quantity {
	return quantityOf(name, amountOf(name, q))
}

// roundUp makes an amount of cores or bytes: whole thousandths of a core, whole MiB.
func roundUp(name corev1.ResourceName, value float64) amount {
	if name == corev1.ResourceCPU {
		return whole(math.Ceil(value * 1000))
	}
	return whole(math.Ceil(value/memoryGrain) * memoryGrain)
}

// whole is the amount of a figure, the largest one of what is more.
func whole(value float64) amount {
	if value >= math.MaxInt64 {
		return math.MaxInt64
	}
	return amount(value)
}

// plus is a + b, and times is a x factor, of amounts that are not negative; the largest amount where it is more.
func plus(a, b amount) amount { return a + min(b, math.MaxInt64-a) }

func times(a, factor amount) amount { return scale(a, factor, 1) }

// scale is value x numerator / denominator, rounded up; the largest amount where it is more. None is negative, and the
// denominator is not 0. The product of two amounts has 128 bits.
func scale(value, numerator, denominator amount) amount {
	high, low := bits.Mul64(uint64(value), uint64(numerator))
	if high >= uint64(denominator) {
		return math.MaxInt64
	}
	quotient, remainder := bits.Div64(high, low, uint64(denominator))
	if remainder > 0 {
		quotient++
	}
	return amount(min(quotient, math.MaxInt64))
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
	return amountOf(corev1.ResourceMemory, requested(r, corev1.ResourceMemory))
}

// memoryIn is the memory of a list in bytes, 0 for none.
func memoryIn(l corev1.ResourceList) int64 {
	return amountOf(corev1.ResourceMemory, l[corev1.ResourceMemory])
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
