package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestSummary(t *testing.T) {
	var (
		ready      = isTrue(v1alpha1.ConditionReady, ReasonReady, "2 of 2")
		idle       = isTrue(v1alpha1.ConditionReady, ReasonIdle, "no worker")
		draining   = isTrue(v1alpha1.ConditionReady, ReasonDraining, "2 of 2; 1 more leaves")
		starting   = isFalse(v1alpha1.ConditionReady, ReasonScalingUp, "1 of 2")
		crashing   = isFalse(v1alpha1.ConditionReady, ReasonWorkersNotReady, "exit code 3")
		deleting   = isFalse(v1alpha1.ConditionReady, ReasonDeleting, "leaves")
		stalled    = isTrue(v1alpha1.ConditionStalled, "CanaryFailing", "no such image")
		contested  = isTrue(v1alpha1.ConditionContested, ReasonSeveralOperators, "two")
		waiting    = isTrue(v1alpha1.ConditionDraining, ReasonWaiting, "1 worker")
		ignoring   = isTrue(v1alpha1.ConditionDraining, ReasonNotHonoured, "reads no file")
		hidden     = isFalse(v1alpha1.ConditionTasksSeen, ReasonTasksMayBeHidden, "stays")
		unseen     = Unknown(v1alpha1.ConditionTasksSeen, ReasonNoTaskSeen, "none yet")
		endangered = isFalse(v1alpha1.ConditionTasksProtected, ReasonRedeliveryTooSoon, "done twice")
		doubtful   = Unknown(v1alpha1.ConditionTasksProtected, ReasonRedeliveryPossible, "perhaps done twice")
		paused     = Unknown(v1alpha1.ConditionProgressing, ReasonRolloutPaused, "paused")
		rolling    = isTrue(v1alpha1.ConditionProgressing, ReasonRollingOut, "r2 takes over")
		strangers  = isTrue(v1alpha1.ConditionUnknownHolders, ReasonTasksHeld, "3 tasks")
		unmeasured = isFalse(v1alpha1.ConditionRightSizing, "MetricsUnavailable", "no metrics")
	)
	const why = "the queue asks for 2 workers: 2 waiting + 0 in flight"
	cases := map[string]struct {
		conditions []metav1.Condition
		reason     string
		message    string
	}{
		"all is well: why so many":                       {[]metav1.Condition{ready, rolling, waiting, unseen, doubtful, unmeasured}, ReasonReady, why},
		"all is well, and none is needed":                {[]metav1.Condition{idle}, ReasonIdle, why},
		"some leave":                                     {[]metav1.Condition{draining}, ReasonDraining, "2 of 2; 1 more leaves"},
		"some start":                                     {[]metav1.Condition{starting}, ReasonScalingUp, "1 of 2"},
		"a canary fails beside a fleet that is ready":    {[]metav1.Condition{ready, stalled, ignoring}, "CanaryFailing", "no such image"},
		"a canary fails beside a fleet that grows":       {[]metav1.Condition{starting, stalled}, "CanaryFailing", "no such image"},
		"workers crash, which is worse than the canary":  {[]metav1.Condition{crashing, stalled}, ReasonWorkersNotReady, "exit code 3"},
		"it is being deleted, whatever else":             {[]metav1.Condition{deleting, stalled}, ReasonDeleting, "leaves"},
		"two operators act on it":                        {[]metav1.Condition{ready, contested, ignoring}, ReasonSeveralOperators, "two"},
		"a worker does not leave":                        {[]metav1.Condition{draining, ignoring, hidden}, ReasonNotHonoured, "reads no file"},
		"workers stay because nobody sees their tasks":   {[]metav1.Condition{ready, hidden, paused}, ReasonTasksMayBeHidden, "stays"},
		"tasks may be done twice":                        {[]metav1.Condition{starting, endangered, paused}, ReasonRedeliveryTooSoon, "done twice"},
		"a rollout is paused":                            {[]metav1.Condition{starting, paused, strangers}, ReasonRolloutPaused, "paused"},
		"tasks are held by workers that nobody has made": {[]metav1.Condition{ready, strangers}, ReasonTasksHeld, "3 tasks"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := &v1alpha1.SummaryStatus{Reason: c.reason, Message: c.message}
			if diff := cmp.Diff(want, summaryOf(c.conditions, why)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := summaryOf([]metav1.Condition{ready}, "").Message; got != "2 of 2" {
		t.Errorf("before anybody knows why, it says %q", got)
	}
	if got := summaryOf(nil, why); got != nil {
		t.Errorf("before anything is known, it says %+v", got)
	}
}
