package v1alpha1

import "k8s.io/apimachinery/pkg/util/intstr"

// ConfigChangePolicy is what a change of a Secret or ConfigMap does.
// +kubebuilder:validation:Enum=Ignore;Restart
type ConfigChangePolicy string

// The policies.
const (
	// ConfigChangeIgnore leaves the workers as they are.
	ConfigChangeIgnore ConfigChangePolicy = "Ignore"
	// ConfigChangeRestart replaces the workers, as a new revision does.
	ConfigChangeRestart ConfigChangePolicy = "Restart"
)

// RolloutSpec says how a new revision takes over. Fields of a Deployment's names mean what they mean there.
// +kubebuilder:validation:XValidation:rule="!(has(self.maxSurge) && (type(self.maxSurge) == int ? self.maxSurge == 0 : string(self.maxSurge).matches('^0+%$')) && (!has(self.maxUnavailable) || (type(self.maxUnavailable) == int ? self.maxUnavailable == 0 : string(self.maxUnavailable).matches('^0+%$'))))",message="rollout.maxSurge and rollout.maxUnavailable must not both be 0: no worker could ever be replaced"
// +kubebuilder:validation:XValidation:rule="(has(self.progressDeadlineSeconds) ? self.progressDeadlineSeconds : 600) > (has(self.minReadySeconds) ? self.minReadySeconds : 10)",message="rollout.progressDeadlineSeconds (default 600) must be greater than rollout.minReadySeconds (default 10)"
type RolloutSpec struct {
	// How many pods there may be beyond desired while workers are replaced, not counting those with a grant:
	// a number from 0 to 100000, or a percentage of desired from 0% to 1000%, rounded up. It also goes beyond
	// maxReplicas. Canaries of the new revision are part of it. Default: 25%.
	// +optional
	// +kubebuilder:default="25%"
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 100000 : string(self).matches('^(1000|[0-9]{1,3})%$')",message="rollout.maxSurge must be a number from 0 to 100000, or a percentage from \"0%\" to \"1000%\", such as \"25%\""
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`

	// How many of the desired workers may be missing while workers are replaced: a number from 0 to
	// 100000, or a percentage of desired from 0% to 100%, rounded down. It must not be 0 when maxSurge is 0. Default: 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 100000 : string(self).matches('^(100|[0-9]{1,2})%$')",message="rollout.maxUnavailable must be a number from 0 to 100000, or a percentage from \"0%\" to \"100%\""
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// How long a pod of the new revision must have been ready without a break before it counts, in
	// seconds, 0 to 86400. It holds for the condition Ready too, of pods of every revision. With 0, a worker without a readiness probe that crashes a moment after its
	// start counts as good. Default: 10.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	MinReadySeconds *int32 `json:"minReadySeconds,omitempty"`

	// How long a pod of the new revision may take until it counts as ready, in seconds, 1 to 2592000 (30 days).
	// After that the condition Progressing is False with the reason ProgressDeadlineExceeded. Time in which
	// workers finish their tasks is not counted. Default: 600.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2592000
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// Stop the rollout where it is: no pod of an unpublished revision is created, nothing is published, and
	// no worker is replaced. Scaling goes on. Default: false.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// What a change of the content of a Secret or ConfigMap does that podSpec refers to by name, in env, in envFrom or in a
	// volume of the type secret, configMap or projected. Restart replaces the workers as a change of podSpec does: canary
	// first, and no worker in the middle of a task. The operator looks once a minute. Ignore leaves the workers as they are.
	// Turning it on replaces nobody. Default: Ignore.
	// +optional
	// +kubebuilder:default=Ignore
	OnConfigChange ConfigChangePolicy `json:"onConfigChange,omitempty"`

	// How many revisions without pods are kept for a rollback, 0 to 1000. Default: 10.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`
}
