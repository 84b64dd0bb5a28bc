package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DrainMode is how a worker is told that it may leave.
// +kubebuilder:validation:Enum=Grant;Signal
type DrainMode string

// The modes.
const (
	// DrainGrant writes the reason into the worker's drain file.
	DrainGrant DrainMode = "Grant"
	// DrainSignal deletes the worker's pod, so that the worker gets SIGTERM and its grace period.
	DrainSignal DrainMode = "Signal"
)

// DrainSpec says how workers leave.
type DrainSpec struct {
	// How a worker is told that it may leave. Grant writes /etc/qscaler/drain; the worker finishes its task
	// however long that takes, and a grant can be withdrawn. Signal deletes the pod, for workers that know
	// nothing of the file and finish their task on SIGTERM: it cannot be taken back, and the grace period
	// is all the time there is. Signal needs maxTaskDuration or podSpec.terminationGracePeriodSeconds.
	// Default: Grant.
	// +optional
	// +kubebuilder:default=Grant
	Mode DrainMode `json:"mode,omitempty"`

	// The longest that one task may take, 1s to 720h (30 days). It becomes the pod's
	// terminationGracePeriodSeconds unless podSpec has its own, and a worker that has held a grant for
	// longer is deleted with a grace of 30 s. Absent: a grant is never enforced, and the grace period is
	// 10 minutes unless podSpec has its own.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.size() > 0 && self.matches('^([0-9]{1,6}([.][0-9]+)?h)?([0-9]{1,8}([.][0-9]+)?m)?([0-9]{1,10}([.][0-9]+)?s)?([0-9]{1,10}([.][0-9]+)?ms)?$') && duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="drain.maxTaskDuration must be a duration from 1s to 720h, such as 45m"
	MaxTaskDuration *metav1.Duration `json:"maxTaskDuration,omitempty"`
}
