package report

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
)

// configRead says whether a change of a Secret or ConfigMap would be seen. It is absent where nobody asked for that.
func configRead(c *Config) metav1.Condition {
	if c == nil {
		return Absent(v1alpha1.ConditionConfigRead)
	}
	var names, missing, unknown []string
	for _, object := range c.Objects {
		switch {
		case object.Problem != "" && (object.Problem != ReasonConfigNotFound || !object.Optional):
			return isNot(v1alpha1.ConditionConfigRead, Problem{object.Problem, object.Name + wrongWith(object.Problem)})
		case object.Problem != "":
			missing = append(missing, object.Name)
		case !object.Known:
			unknown = append(unknown, object.Name)
		}
		names = append(names, object.Name)
	}
	switch {
	case c.Omitted > 0:
		return isNot(v1alpha1.ConditionConfigRead, Problem{ReasonTooManyReferences, fmt.Sprintf(
			"podSpec refers to %d Secrets and ConfigMaps more than are looked at: their changes replace no worker. Refer to fewer", c.Omitted)})
	case len(unknown) > 0:
		return Unknown(v1alpha1.ConditionConfigRead, ReasonNotReadYet, "not read yet: "+words.AndMore(unknown))
	case len(names) == 0:
		return Is(v1alpha1.ConditionConfigRead, true, ReasonAllRead, "podSpec refers to no Secret and to no ConfigMap by name")
	}
	message := "a change of one of these replaces the workers: " + words.AndMore(names)
	if len(missing) > 0 {
		message += "; optional, and not there: " + words.AndMore(missing)
	}
	return Is(v1alpha1.ConditionConfigRead, true, ReasonAllRead, message)
}

// wrongWith says what is wrong with an object that cannot be read, and what helps.
func wrongWith(reason string) string {
	switch reason {
	case ReasonConfigNotFound:
		return " does not exist, and podSpec refers to it: no new pod can start. Create it, correct the name, or make the reference optional"
	case ReasonConfigForbidden:
		return " may not be read by the operator: its changes replace no worker. Give the operator's service account the verb get on it"
	}
	return " lacks the label that the operator's flag --require-secret-label asks for: its changes replace no worker. Label it as docs/security.md says, if the operator may read it"
}
