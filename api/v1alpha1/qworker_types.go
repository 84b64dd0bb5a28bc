package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// QWorkerSpec is a fleet of workers: what one worker is, which queue it serves, and how many there may be.
// +kubebuilder:validation:XValidation:rule="!has(self.drain) || !has(self.drain.mode) || self.drain.mode != 'Signal' || has(self.drain.maxTaskDuration) || has(self.podSpec.terminationGracePeriodSeconds)",message="drain.mode Signal needs drain.maxTaskDuration or podSpec.terminationGracePeriodSeconds: a worker that is told by SIGTERM has only its grace period to finish"
type QWorkerSpec struct {
	// The pod of one worker, a full Kubernetes PodSpec. The operator adds the drain file's volume and the
	// environment that a worker needs; where restartPolicy is absent it is OnFailure, and where
	// terminationGracePeriodSeconds is absent it is drain.maxTaskDuration, else 10 minutes.
	// +kubebuilder:validation:XValidation:rule="self.containers.size() > 0",message="podSpec.containers must have at least one container"
	PodSpec corev1.PodSpec `json:"podSpec"`

	// Labels and annotations of the worker pods.
	// +optional
	PodMetadata *PodMetadata `json:"podMetadata,omitempty"`

	// Which queue, and how many workers.
	ScaleConfig ScaleConfig `json:"scaleConfig"`

	// How workers leave.
	// +optional
	Drain *DrainSpec `json:"drain,omitempty"`

	// How a new revision takes over.
	// +optional
	Rollout *RolloutSpec `json:"rollout,omitempty"`

	// How workers are right-sized, while scaleConfig.activateVPA is true.
	// +optional
	RightSizing *RightSizingSpec `json:"rightSizing,omitempty"`
}

// PodMetadata is put on every worker pod.
type PodMetadata struct {
	// Labels of the worker pods. Keys under quickube.com/ belong to the operator and are refused.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(key, !key.startsWith('quickube.com/'))",message="podMetadata.labels must not have keys under quickube.com/; they belong to the operator"
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations of the worker pods. Keys under quickube.com/ belong to the operator and are refused.
	// kubectl.kubernetes.io/default-container names the worker container; absent, it is the first one.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(key, !key.startsWith('quickube.com/'))",message="podMetadata.annotations must not have keys under quickube.com/; they belong to the operator"
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ScaleConfig is the queue and the range of workers.
// desired = clamp(ceil((waiting + in flight) x scalingFactor), minReplicas, maxReplicas).
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",message="minReplicas must not be greater than maxReplicas; lower minReplicas or raise maxReplicas"
// +kubebuilder:validation:XValidation:rule="!(has(self.scalingFactor) && has(self.messagesPerWorker))",message="give at most one of scalingFactor and messagesPerWorker; they are each other's inverse"
type ScaleConfig struct {
	// Name of a ScalerConfig in the same namespace.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",message="scalerConfigRef must be the name of a ScalerConfig in the same namespace"
	ScalerConfigRef string `json:"scalerConfigRef"`

	// Name of the queue on that broker; for Redis, the key of a list.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Queue string `json:"queue"`

	// The fewest workers, 0 or more. Default: 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	MinReplicas int32 `json:"minReplicas"`

	// The most workers, 1 or more and not below minReplicas. Workers that hold a grant come on top until they have left.
	// +kubebuilder:validation:Minimum=1
	MaxReplicas int32 `json:"maxReplicas"`

	// Workers per message, above 0: 2, "0.1" or "100m". A fraction needs quotes; an unquoted 0.1 is
	// refused, because it is neither an integer nor a string. Default: 1. At most one of scalingFactor
	// and messagesPerWorker.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self > 0 : (isQuantity(self) && quantity(self).isGreaterThan(quantity('0')))",message="scalingFactor is workers per message and must be greater than 0, such as 2, \"0.1\" or \"100m\""
	ScalingFactor *resource.Quantity `json:"scalingFactor,omitempty"`

	// Messages per worker, 1 or more: the inverse of scalingFactor. At most one of the two.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MessagesPerWorker *int32 `json:"messagesPerWorker,omitempty"`

	// How long a lower demand must have lasted before workers are granted leave: going down uses the
	// highest desired of this window, going up is immediate. 0s to 24h. Default: 30s.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="self.size() > 0 && self.matches('^([0-9]{1,6}([.][0-9]+)?h)?([0-9]{1,8}([.][0-9]+)?m)?([0-9]{1,10}([.][0-9]+)?s)?([0-9]{1,10}([.][0-9]+)?ms)?$') && duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="scaleDownDelay must be a duration from 0s to 24h, such as 30s"
	ScaleDownDelay *metav1.Duration `json:"scaleDownDelay,omitempty"`

	// Right-size the workers' CPU and memory, as spec.rightSizing says. False always wins. Default: false.
	// +optional
	ActivateVPA bool `json:"activateVPA,omitempty"`
}

// QWorkerStatus is what the operator last saw and decided.
type QWorkerStatus struct {
	// The newest generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// How many workers the queue asks for, within minReplicas and maxReplicas. Going down it is the
	// highest of the last scaleDownDelay.
	// +optional
	DesiredReplicas int32 `json:"desiredReplicas"`

	// Live pods of the revision currentPodSpecHash, those with a grant included.
	// +optional
	CurrentReplicas int32 `json:"currentReplicas"`

	// All live pods, of every revision, those with a grant included; without those that are terminating.
	// +optional
	Replicas int32 `json:"replicas"`

	// Live pods of the newest revision.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// Live pods that are ready.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`

	// Live pods that hold a grant to leave.
	// +optional
	DrainingReplicas int32 `json:"drainingReplicas"`

	// Pods that are being deleted and have not ended.
	// +optional
	TerminatingReplicas int32 `json:"terminatingReplicas"`

	// Hash of the proven revision: it moves to a new revision once a pod of it is ready.
	// +optional
	CurrentPodSpecHash string `json:"currentPodSpecHash,omitempty"`

	// When a worker last left on a grant.
	// +optional
	LastDepartureTime *metav1.Time `json:"lastDepartureTime,omitempty"`

	// The queue as last read. Written on change, at most every 10 s.
	// +optional
	Queue *QueueStatus `json:"queue,omitempty"`

	// The most that a container of each name was seen to use, of all pods so far.
	// +optional
	// +listType=map
	// +listMapKey=name
	MaxContainerResourcesUsage []ContainerResourcesUsage `json:"maxContainerResourcesUsage,omitempty"`

	// What the containers should request, while activateVPA is true.
	// +optional
	// +listType=map
	// +listMapKey=name
	Recommendations []ContainerRecommendation `json:"recommendations,omitempty"`

	// Ready, BrokerReachable, Progressing, Draining, ScalingLimited, RightSizing while activateVPA is
	// true, and, while they are true, Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// QueueStatus is the depth of the queue.
type QueueStatus struct {
	// Messages that no worker has taken.
	Waiting int64 `json:"waiting"`
	// Messages that workers have taken and not acknowledged.
	InFlight int64 `json:"inFlight"`
	// When these figures were read.
	ReadTime metav1.Time `json:"readTime"`
}

// QWorker is a fleet of workers of one message queue.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=qw,categories=qscaler
// +kubebuilder:printcolumn:name="QUEUE",type=string,JSONPath=`.spec.scaleConfig.queue`
// +kubebuilder:printcolumn:name="WAITING",type=integer,JSONPath=`.status.queue.waiting`
// +kubebuilder:printcolumn:name="INFLIGHT",type=integer,JSONPath=`.status.queue.inFlight`
// +kubebuilder:printcolumn:name="DESIRED",type=integer,JSONPath=`.status.desiredReplicas`
// +kubebuilder:printcolumn:name="CURRENT",type=integer,JSONPath=`.status.currentReplicas`
// +kubebuilder:printcolumn:name="READY",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="DRAINING",type=integer,JSONPath=`.status.drainingReplicas`
// +kubebuilder:printcolumn:name="STATUS",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
type QWorker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec QWorkerSpec `json:"spec"`
	// +optional
	Status QWorkerStatus `json:"status,omitempty"`
}

// QWorkerList is a list of QWorkers.
// +kubebuilder:object:root=true
type QWorkerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []QWorker `json:"items"`
}
