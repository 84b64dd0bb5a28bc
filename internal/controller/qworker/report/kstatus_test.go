package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestKstatus(t *testing.T) {
	const reconciling, stalled = v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled
	good, bad := isTrue(v1alpha1.ConditionReady, ReasonReady, "ready"), isFalse(v1alpha1.ConditionReady, ReasonScalingUp, "starts")
	const progressing = v1alpha1.ConditionProgressing
	over, rolling := isTrue(progressing, ReasonRevisionAvailable, "over"), isTrue(progressing, ReasonRollingOut, "rolls")
	stopped, paused := isFalse(progressing, ReasonCanaryRefused, "stopped"), Unknown(progressing, ReasonRolloutPaused, "paused")
	cases := map[string]struct {
		observed           Observed
		done               Done
		ready, progressing metav1.Condition
		want               []metav1.Condition
	}{
		"all is well":                 {Observed{}, Done{}, good, over, []metav1.Condition{Absent(reconciling), Absent(stalled)}},
		"a paused rollout is no wait": {Observed{}, Done{}, good, paused, []metav1.Condition{Absent(reconciling), Absent(stalled)}},
		"workers start":               {Observed{}, Done{}, bad, rolling, []metav1.Condition{isTrue(reconciling, ReasonScalingUp, "starts"), Absent(stalled)}},
		"a revision takes over":       {Observed{}, Done{}, good, rolling, []metav1.Condition{isTrue(reconciling, ReasonRollingOut, "rolls"), Absent(stalled)}},
		"a round could not be ended":  {Observed{}, Done{Failure: &Problem{}}, good, over, []metav1.Condition{isTrue(reconciling, ReasonReady, "ready"), Absent(stalled)}},
		"the rollout has stopped":     {Observed{}, Done{}, bad, stopped, []metav1.Condition{Absent(reconciling), isTrue(stalled, ReasonCanaryRefused, "stopped")}},
		"the spec cannot be followed": {
			Observed{Stalled: &Problem{ReasonInvalidPodSpec, "collides"}}, Done{}, bad, stopped,
			[]metav1.Condition{Absent(reconciling), isTrue(stalled, ReasonInvalidPodSpec, "collides")},
		},
		"the API server refuses pods": {
			Observed{}, Done{}, isFalse(v1alpha1.ConditionReady, ReasonPodRefused, "no image"), over,
			[]metav1.Condition{Absent(reconciling), isTrue(stalled, ReasonPodRefused, "no image")},
		},
		"it is being deleted": {
			Observed{Deleting: true, Stalled: &Problem{}}, Done{}, isFalse(v1alpha1.ConditionReady, ReasonDeleting, "leaves"), stopped,
			[]metav1.Condition{isTrue(reconciling, ReasonDeleting, "leaves"), Absent(stalled)},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, kstatus(c.observed, c.done, c.ready, c.progressing)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
