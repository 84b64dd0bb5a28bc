package report

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// contested is True while several operators act on the QWorker, and absent otherwise. All of them say the same words, so
// that they do not write over each other for ever.
func contested(operators []string) metav1.Condition {
	if len(operators) == 0 {
		return Absent(v1alpha1.ConditionContested)
	}
	return Is(v1alpha1.ConditionContested, true, ReasonSeveralOperators, fmt.Sprintf(
		"the operators %s act on this QWorker at once: there may be too many workers or too few. Stop all but one of them, or give each its own namespaces with --watch-namespaces",
		strings.Join(operators, " and ")))
}
