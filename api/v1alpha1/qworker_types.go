package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// QWorkerSpec is a fleet of workers: what one worker is, which queue it serves, and how many there may be.
// +kubebuilder:validation:XValidation:rule="!has(self.drain) || !has(self.drain.mode) || self.drain.mode != 'Signal' || has(self.drain.maxTaskDuration) || (has(self.podSpec.terminationGracePeriodSeconds) && dyn(self.podSpec.terminationGracePeriodSeconds) != null && self.podSpec.terminationGracePeriodSeconds != 30)",message="drain.mode Signal needs drain.maxTaskDuration, or a podSpec.terminationGracePeriodSeconds other than 30, which is Kubernetes' default and says nothing of your tasks: a worker that is told by SIGTERM has only its grace period to finish; set drain.maxTaskDuration to the longest that a task takes"
// +kubebuilder:validation:XValidation:rule="!has(self.drain) || !has(self.drain.mode) || self.drain.mode != 'Signal' || !has(self.drain.maxTaskDuration) || !has(self.podSpec.terminationGracePeriodSeconds) || dyn(self.podSpec.terminationGracePeriodSeconds) == null || self.podSpec.terminationGracePeriodSeconds <= 0 || self.podSpec.terminationGracePeriodSeconds > 2592000 || !self.drain.maxTaskDuration.matches('^([0-9]+([.][0-9]+)?(h|m|s|ms))+$') || timestamp(0) + duration(self.drain.maxTaskDuration) <= timestamp(self.podSpec.terminationGracePeriodSeconds)",fieldPath=".podSpec.terminationGracePeriodSeconds",messageExpression="'podSpec.terminationGracePeriodSeconds must be at least drain.maxTaskDuration (' + self.drain.maxTaskDuration + '): with drain.mode Signal a worker has only its grace period to finish its task; raise podSpec.terminationGracePeriodSeconds, or remove it, and it is drain.maxTaskDuration'"
// +kubebuilder:validation:XValidation:rule="!has(self.drain) || !has(self.drain.endsAfterTask) || !self.drain.endsAfterTask || !has(self.podSpec.restartPolicy) || self.podSpec.restartPolicy != 'Always'",message="drain.endsAfterTask needs podSpec.restartPolicy OnFailure or Never: with Always the kubelet starts a worker again that has ended after its task, and waits longer each time; remove podSpec.restartPolicy, or set it to OnFailure"
type QWorkerSpec struct {
	// The pod of one worker, a full Kubernetes PodSpec. The operator adds the drain file's volume and the
	// environment that a worker needs. Where restartPolicy is absent, it is OnFailure. Where
	// terminationGracePeriodSeconds is absent, it is drain.maxTaskDuration, else 10 minutes. What ends a worker in the
	// middle of a task is refused.
	//
	// A field that QScaler does not know is kept and put into the pods, if the API server's pods have it. Else the
	// condition Ready says that pods are refused (PodRefused).
	// +kubebuilder:validation:XValidation:rule="self.containers.size() > 0",message="podSpec.containers must have at least one container"
	// +kubebuilder:validation:XValidation:rule="!has(self.activeDeadlineSeconds) || dyn(self.activeDeadlineSeconds) == null",fieldPath=".activeDeadlineSeconds",message="podSpec.activeDeadlineSeconds ends a worker in the middle of a task, whatever it is doing; remove it: workers leave when the queue does not need them, and drain.maxTaskDuration bounds how long the last task of a worker may take"
	// +kubebuilder:validation:XValidation:rule="!has(self.terminationGracePeriodSeconds) || dyn(self.terminationGracePeriodSeconds) == null || self.terminationGracePeriodSeconds > 0",fieldPath=".terminationGracePeriodSeconds",message="podSpec.terminationGracePeriodSeconds must be greater than 0, or whoever deletes a pod, as in a node drain, kills its worker in the middle of a task; set it to the longest that a task takes, or remove it and set drain.maxTaskDuration"
	// +kubebuilder:validation:XValidation:rule="self.containers.all(c, !has(c.lifecycle) || dyn(c.lifecycle) == null || !has(c.lifecycle.stopSignal) || c.lifecycle.stopSignal != 'SIGKILL')",fieldPath=".containers",message="lifecycle.stopSignal SIGKILL ends a worker in the middle of a task; remove it, or set the signal at which the worker finishes its task and ends"
	PodSpec corev1.PodSpec `json:"podSpec"`

	// Newer are the fields in podSpec that this program does not know.
	Newer []NewerField `json:"-"`

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

// MostReplicas is the most workers that a QWorker may have. The schema refuses more. What is stored under an older schema
// may have more, and counts as this.
const MostReplicas = 100_000

// ScaleConfig is the queue and the range of workers.
// desired = clamp(ceil((waiting + in flight) x scalingFactor), minReplicas, maxReplicas).
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",message="minReplicas must not be greater than maxReplicas; lower minReplicas or raise maxReplicas"
type ScaleConfig struct {
	// Name of a ScalerConfig in the same namespace.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",message="scalerConfigRef must be the name of a ScalerConfig in the same namespace"
	ScalerConfigRef string `json:"scalerConfigRef"`

	// Name of the queue on that broker; for Redis, the key of a list.
	//
	// Names that are like those of QScaler's own keys in Redis are refused: with ":processing:" or ":unique:" in
	// them, with ":delayed", ":dead" or ":dead:payloads" at their end, or with "qscaler:operator:" at their
	// beginning. This holds for every broker: the API server checks a QWorker alone, and does not know the type
	// of its ScalerConfig.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.contains(':processing:') && !self.contains(':unique:') && !self.endsWith(':delayed') && !self.endsWith(':dead') && !self.endsWith(':dead:payloads') && !self.startsWith('qscaler:operator:')",message="queue must not be like the name of one of QScaler's own keys: without :processing: and :unique:, not with :delayed, :dead or :dead:payloads at its end, and not with qscaler:operator: at its beginning; give the queue another name"
	Queue string `json:"queue"`

	// Name of the consumer group that the workers are, where the queues of the broker have such groups: of each message,
	// every group has one worker that does it. Required there. Elsewhere it must be absent. The API server checks a QWorker
	// alone, and does not know the type of its ScalerConfig: the condition BrokerReachable has the reason
	// InvalidConsumerGroup where one is missing, is too much, or cannot have that name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	ConsumerGroup string `json:"consumerGroup,omitempty"`

	// The fewest workers, 0 to 100000. Default: 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MinReplicas int32 `json:"minReplicas"`

	// The most workers, 1 to 100000 and not below minReplicas. Workers with a grant come on top until they have left.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	MaxReplicas int32 `json:"maxReplicas"`

	// Workers per message, above 0, with or without quotes: 2, 0.1 or 100m. Default: 1. At most one of scalingFactor
	// and messagesPerWorker.
	// +optional
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:Pattern="above 0"
	ScalingFactor *resource.Quantity `json:"scalingFactor,omitempty"`

	// Messages per worker, 1 or more: the inverse of scalingFactor. At most one of the two.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MessagesPerWorker *int32 `json:"messagesPerWorker,omitempty"`

	// How long a lower demand must last before workers get a grant: going down uses the highest number of
	// this window, going up is immediate. 0s to 24h. Default: 30s.
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
	// The newest generation that this status describes; -1 before any operator has looked.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// How many workers the queue asks for, within minReplicas and maxReplicas. Going down it is the
	// highest number of the last scaleDownDelay.
	// +optional
	DesiredReplicas int32 `json:"desiredReplicas"`

	// Live pods of the revision currentPodSpecHash, those with a grant included.
	// +optional
	CurrentReplicas int32 `json:"currentReplicas"`

	// All live pods of every revision, those with a grant included, terminating ones not.
	// +optional
	Replicas int32 `json:"replicas"`

	// Live pods of the newest revision.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// Live pods that are ready.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`

	// Live pods with a grant.
	// +optional
	DrainingReplicas int32 `json:"drainingReplicas"`

	// Pods that are being deleted and have not ended.
	// +optional
	TerminatingReplicas int32 `json:"terminatingReplicas"`

	// Hash of the published revision. It moves to a new revision once a pod of that is ready for minReadySeconds.
	// +optional
	CurrentPodSpecHash string `json:"currentPodSpecHash,omitempty"`

	// When a worker last left on a grant.
	// +optional
	LastDepartureTime *metav1.Time `json:"lastDepartureTime,omitempty"`

	// When all workers had ended, of a QWorker that is being deleted. An hour later it no longer waits for the broker. Absent
	// while a worker has not ended.
	// +optional
	WorkersEndedTime *metav1.Time `json:"workersEndedTime,omitempty"`

	// The worst that is the matter, or that all is well.
	// +optional
	Summary *SummaryStatus `json:"summary,omitempty"`

	// How desiredReplicas comes about. Written on change, at most every 10 s.
	// +optional
	Decision *DecisionStatus `json:"decision,omitempty"`

	// The queue as last read. Written on change, at most every 10 s.
	// +optional
	Queue *QueueStatus `json:"queue,omitempty"`

	// Tasks that are held by workers which no QWorker of this cluster has made. Absent where there are none. The operator
	// does not touch them.
	// +optional
	UnknownHolders *UnknownHolders `json:"unknownHolders,omitempty"`

	// The highest usage that was measured of each container name, over all pods so far.
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
	// true, TasksSeen while workers may be at tasks that nobody sees, TasksProtected while a setting may cut tasks, and, while
	// they are true, Contested, UnknownHolders, Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// QueueStatus is the depth of the queue.
type QueueStatus struct {
	// Messages that no worker has taken.
	Waiting int64 `json:"waiting"`
	// Messages that workers have taken and not acknowledged. Absent where the broker cannot say.
	// +optional
	InFlight *int64 `json:"inFlight,omitempty"`
	// When these figures were read.
	ReadTime metav1.Time `json:"readTime"`
}

// UnknownHolders are workers that hold tasks of the queue and that no QWorker of this cluster has made, such as those of a
// QWorker that was deleted and created again, or of another cluster.
type UnknownHolders struct {
	// How many they are.
	Workers int64 `json:"workers"`
	// How many tasks the first 1000 of them, by name, hold; 0 while that cannot be counted.
	Tasks int64 `json:"tasks"`
}

// QWorker is a fleet of workers of one message queue.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=qw,categories=qscaler
// +kubebuilder:printcolumn:name="QUEUE",type=string,JSONPath=`.spec.scaleConfig.queue`
// +kubebuilder:printcolumn:name="WAITING",type=integer,JSONPath=`.status.queue.waiting`
// +kubebuilder:printcolumn:name="INFLIGHT",type=integer,JSONPath=`.status.queue.inFlight`
// +kubebuilder:printcolumn:name="DESIRED",type=integer,JSONPath=`.status.desiredReplicas`
// +kubebuilder:printcolumn:name="CURRENT",type=integer,JSONPath=`.status.replicas`
// +kubebuilder:printcolumn:name="UP-TO-DATE",type=integer,JSONPath=`.status.updatedReplicas`
// +kubebuilder:printcolumn:name="READY",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="DRAINING",type=integer,JSONPath=`.status.drainingReplicas`
// +kubebuilder:printcolumn:name="STATUS",type=string,JSONPath=`.status.summary.reason`
// +kubebuilder:printcolumn:name="AGE",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="MIN",type=integer,priority=1,JSONPath=`.spec.scaleConfig.minReplicas`
// +kubebuilder:printcolumn:name="MAX",type=integer,priority=1,JSONPath=`.spec.scaleConfig.maxReplicas`
// +kubebuilder:printcolumn:name="BROKER",type=string,priority=1,JSONPath=`.spec.scaleConfig.scalerConfigRef`
// +kubebuilder:printcolumn:name="REASON",type=string,priority=1,JSONPath=`.status.summary.message`
type QWorker struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec QWorkerSpec `json:"spec"`
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status QWorkerStatus `json:"status,omitempty"`
}

// QWorkerList is a list of QWorkers.
// +kubebuilder:object:root=true
type QWorkerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []QWorker `json:"items"`
}
