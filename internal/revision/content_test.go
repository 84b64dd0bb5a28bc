package revision

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/connection"
)

// What only the operator goes by shapes no pod: to change it rolls no fleet.
func TestWhatShapesAPod(t *testing.T) {
	minute := &metav1.Duration{Duration: time.Minute}
	for name, c := range map[string]struct {
		drain *v1alpha1.DrainSpec
		want  v1alpha1.DrainSpec
	}{
		"nothing is said":                  {nil, v1alpha1.DrainSpec{}},
		"how long a task may take":         {&v1alpha1.DrainSpec{MaxTaskDuration: minute}, v1alpha1.DrainSpec{MaxTaskDuration: minute}},
		"workers end after their task":     {&v1alpha1.DrainSpec{EndsAfterTask: true}, v1alpha1.DrainSpec{}},
		"tasks that nobody sees may end":   {&v1alpha1.DrainSpec{MayEndUnseenTasks: true}, v1alpha1.DrainSpec{}},
		"the mode that there always was":   {&v1alpha1.DrainSpec{Mode: v1alpha1.DrainGrant}, v1alpha1.DrainSpec{}},
		"a mode that there was not always": {&v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal}, v1alpha1.DrainSpec{Mode: v1alpha1.DrainSignal}},
	} {
		t.Run(name, func(t *testing.T) {
			qw := qworker("a")
			qw.Spec.Drain = c.drain
			if diff := cmp.Diff(c.want, ContentOf(qw, connection.Spec{}).Drain); diff != "" {
				t.Errorf("the revision has (-want +got):\n%s", diff)
			}
		})
	}
}
