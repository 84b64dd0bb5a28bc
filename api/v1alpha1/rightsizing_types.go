package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RightSizingMode says where a recommendation goes.
type RightSizingMode string

const (
	// RightSizingOff recommends, in the status, and changes no pod.
	RightSizingOff RightSizingMode = "Off"
	// RightSizingInitial gives new pods the recommendation.
	RightSizingInitial RightSizingMode = "Initial"
	// RightSizingInPlace also raises running pods, without a restart. It never lowers them.
	RightSizingInPlace RightSizingMode = "InPlace"
)

// ControlledValues says what follows a recommendation beside the requests.
type ControlledValues string

const (
	// RequestsAndLimits keeps the ratio of limits to requests.
	RequestsAndLimits ControlledValues = "RequestsAndLimits"
	// RequestsOnly leaves limits as they are; a request never rises above one.
	RequestsOnly ControlledValues = "RequestsOnly"
)

// AnyContainer stands in minAllowed and maxAllowed for every container that is not named there.
const AnyContainer = "*"

// AllowedResources bounds what is requested for a container.
type AllowedResources struct {
	// CPU in cores, above 0, such as 100m or 2. Absent: no bound.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern="above 0"
	CPU *resource.Quantity `json:"cpu,omitempty"`
	// Memory in bytes, above 0, such as 128Mi or 4Gi. Absent: no bound.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern="above 0"
	Memory *resource.Quantity `json:"memory,omitempty"`
}

// RightSizingSpec says how the workers are right-sized. It has an effect while scaleConfig.activateVPA is true.
type RightSizingSpec struct {
	// Off recommends only, in status.recommendations. Initial gives new pods the recommendation in place of
	// the podSpec's requests. InPlace also raises running pods, without a restart, and never lowers them.
	// Default: InPlace.
	// +optional
	// +kubebuilder:validation:Enum=Off;Initial;InPlace
	Mode RightSizingMode `json:"mode,omitempty"`

	// The least that is requested for a container, by its name or "*" for every other one, such as
	// {"worker": {"memory": "128Mi"}}. An init container is right-sized only if it is named here or in
	// maxAllowed. At most 64 entries.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	MinAllowed map[string]AllowedResources `json:"minAllowed,omitempty"`

	// The most that is requested for a container, by its name or "*" for every other one. It bounds what
	// out-of-memory kills lead to as well. Where minAllowed is more, this counts. Absent: no bound. At most 64 entries.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	MaxAllowed map[string]AllowedResources `json:"maxAllowed,omitempty"`

	// Which resources are right-sized: cpu, memory or both. Default: both.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:Enum=cpu;memory
	ControlledResources []corev1.ResourceName `json:"controlledResources,omitempty"`

	// RequestsAndLimits keeps the ratio of limits to requests: a raise under a fixed limit would not prevent
	// an out-of-memory kill. RequestsOnly does not change limits; a request never rises above its limit.
	// Default: RequestsAndLimits.
	// +optional
	// +kubebuilder:validation:Enum=RequestsAndLimits;RequestsOnly
	ControlledValues ControlledValues `json:"controlledValues,omitempty"`

	// How much more than the 90th percentile of the usage is requested, in percent, 0 to 400. Default: 15.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=400
	HeadroomPercent *int32 `json:"headroomPercent,omitempty"`
}

// ContainerResourcesUsage is the measured usage of a container.
type ContainerResourcesUsage struct {
	// The container's name.
	Name string `json:"name"`
	// CPU in cores, memory in bytes.
	Usage corev1.ResourceList `json:"usage"`
}

// ContainerRecommendation is what a container should request.
type ContainerRecommendation struct {
	// The container's name.
	Name string `json:"name"`
	// What to request.
	Requests corev1.ResourceList `json:"requests"`
	// Why, for a program: Usage, OutOfMemory, MinAllowed, MaxAllowed or ShortHistory, of the resource that
	// was changed last.
	Reason string `json:"reason"`
	// Why, for a person, of each resource.
	Message string `json:"message"`
	// Since when it is recommended.
	Since metav1.Time `json:"since"`
	// From how many samples, when this was last written.
	Samples int64 `json:"samples"`
}
