package report

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
)

// Is is a condition that is True or False.
func Is(kind string, value bool, reason, message string) metav1.Condition {
	status := metav1.ConditionFalse
	if value {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

// Unknown is a condition of which nobody knows whether it holds.
func Unknown(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// Absent is a condition that is not to be there: it has no status.
func Absent(kind string) metav1.Condition { return metav1.Condition{Type: kind} }

func isNot(kind string, why Problem) metav1.Condition {
	return Is(kind, false, why.Reason, why.Message)
}

// NoScalerConfig is why a spec cannot be followed that names a ScalerConfig that does not exist.
func NoScalerConfig(qw *v1alpha1.QWorker) *Problem {
	return &Problem{
		Reason: ReasonScalerConfigNotFound,
		Message: fmt.Sprintf("there is no ScalerConfig %q in namespace %s; create it, or correct spec.scaleConfig.scalerConfigRef",
			qw.Spec.ScaleConfig.ScalerConfigRef, qw.Namespace),
	}
}

// maxMessage is the length of a condition's message, in bytes. The API server accepts 32 KiB, and refuses the whole
// status for one that is longer: a pod with many mistakes is refused in more words.
const maxMessage = 2048

// timeUnit is the precision of times in a status.
const timeUnit = time.Second

// set puts a condition into a status, or takes it away.
func set(st *v1alpha1.QWorkerStatus, c metav1.Condition, now time.Time) {
	if c.Status == "" {
		meta.RemoveStatusCondition(&st.Conditions, c.Type)
		return
	}
	c.Message = words.Shortened(c.Message, maxMessage)
	c.ObservedGeneration = st.ObservedGeneration
	c.LastTransitionTime = metav1.NewTime(now.Truncate(timeUnit))
	meta.SetStatusCondition(&st.Conditions, c)
}
