package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestScalingLimited(t *testing.T) {
	const kind = v1alpha1.ConditionScalingLimited
	before := []metav1.Condition{isTrue(kind, "AtMaximum", "as an earlier leader has said")}
	within := isFalse(kind, ReasonWithinRange, "the queue asks for a number of workers from minReplicas to maxReplicas")
	cases := map[string]struct {
		known   bool
		limited Problem
		written []metav1.Condition
		want    metav1.Condition
	}{
		"the queue asks for more":                        {true, Problem{"AtMaximum", "more than maxReplicas (10)"}, nil, isTrue(kind, "AtMaximum", "more than maxReplicas (10)")},
		"the queue asks for fewer":                       {true, Problem{"AtMinimum", "fewer than minReplicas (2)"}, before, isTrue(kind, "AtMinimum", "fewer than minReplicas (2)")},
		"the queue asks for what is within":              {true, Problem{}, before, within},
		"before the queue is read, what was said stands": {false, Problem{}, before, before[0]},
		"of a new QWorker nothing was said":              {false, Problem{}, nil, within},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, scalingLimited(c.known, Decided{Limited: c.limited}, c.written)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
