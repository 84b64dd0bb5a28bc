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
	// How a worker is told that it may leave. Grant writes /etc/qscaler/drain: the worker finishes its task
	// however long that takes, and the grant can be withdrawn. Signal deletes the pod, for workers that do
	// not know the file and finish their task on SIGTERM: it cannot be withdrawn, and the task must end
	// within the grace period. Default: Grant.
	//
	// Signal needs maxTaskDuration, or podSpec.terminationGracePeriodSeconds above 0 and not 30, which is
	// Kubernetes' default. Where both are set, terminationGracePeriodSeconds may be 30, and must be at least
	// maxTaskDuration.
	// +optional
	// +kubebuilder:default=Grant
	Mode DrainMode `json:"mode,omitempty"`

	// The longest that one task may take, 1s to 720h (30 days). It becomes the pod's
	// terminationGracePeriodSeconds unless podSpec has its own. A worker that has had a grant for longer is
	// deleted with a grace period of 30 s.
	//
	// Absent: a grant has no end, and the grace period is 10 minutes unless podSpec has its own.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.size() > 0 && self.matches('^([0-9]{1,6}([.][0-9]+)?h)?([0-9]{1,8}([.][0-9]+)?m)?([0-9]{1,10}([.][0-9]+)?s)?([0-9]{1,10}([.][0-9]+)?ms)?$') && duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="drain.maxTaskDuration must be a duration from 1s to 720h, such as 45m"
	MaxTaskDuration *metav1.Duration `json:"maxTaskDuration,omitempty"`

	// Whether Signal may end workers that may be at a task that QScaler cannot see. These are the workers of a
	// revision of which the broker has never shown one with a task (on Redis: a task in its processing list).
	// QScaler does not know which of them are idle, and does not count what they do.
	//
	// With false they stay when they are too many, in a rollout, and on a node that is to go; the condition TasksSeen
	// says so. With true they get SIGTERM and their grace period, and a task that takes longer is interrupted. Deleting
	// the QWorker ends them in any case. It has no effect on grants, and a change makes no new revision. Default: false.
	// +optional
	MayEndUnseenTasks bool `json:"mayEndUnseenTasks,omitempty"`

	// Whether a worker ends by itself, with exit code 0, after its task or after a few, as the Jobs of a ScaledJob do.
	// With true such an end is no failure, however soon it comes, as long as tasks are done; and a worker that has ended
	// is replaced only if the queue asks for one now, also within scaleDownDelay. It needs podSpec.restartPolicy
	// OnFailure, the default, or Never. A change makes no new revision. Default: false.
	// +optional
	EndsAfterTask bool `json:"endsAfterTask,omitempty"`
}
