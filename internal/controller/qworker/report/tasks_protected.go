package report

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// Redelivery is what the broker does with a task that a worker has had for long.
type Redelivery struct {
	// Known is false while the broker has not told it.
	Known bool
	// After is when it gives the task to another worker, 0 for never; Setting is what says so.
	After   time.Duration
	Setting string
	// Unless is when it does not, "" where it does in any case. Again is true where it has given tasks of now more than once.
	Unless string
	Again  bool
	// Deliveries is how often it gives a task to a worker before it drops the task, 0 for no bound.
	Deliveries int64
}

// tasksProtected is there while a setting may cut tasks, or have them done twice. It is False where the setting does so in
// any case, or has done so. Before the broker has told its settings, what an earlier leader has said stands.
func tasksProtected(o Observed, written []metav1.Condition) metav1.Condition {
	const kind = v1alpha1.ConditionTasksProtected
	r, most := o.Redelivery, o.MaxTaskDuration
	before := meta.FindStatusCondition(written, kind)
	switch {
	case !r.Known && before != nil:
		return *before
	case r.Deliveries == 1:
		return isNot(kind, Problem{ReasonDeliveredOnce, "the broker gives a task to one worker, and never again (max_deliver of the consumer is 1): " +
			"the task of a worker that is killed is lost. Set max_deliver to 2 or more, or to -1"})
	case !r.Known || most == 0 || r.After == 0 || r.After >= most:
		return Absent(kind)
	case r.Unless == "":
		return isNot(kind, Problem{ReasonRedeliveryTooSoon, r.tooSoon(most, "")})
	case r.Again:
		return isNot(kind, Problem{ReasonRedeliveryTooSoon, "tasks were given to more than one worker: " + r.tooSoon(most, ", unless "+r.Unless)})
	}
	return Unknown(kind, ReasonRedeliveryPossible, r.tooSoon(most, ", unless "+r.Unless))
}

// tooSoon says what happens, and what to do about it.
func (r Redelivery) tooSoon(most time.Duration, unless string) string {
	dropped := ""
	if r.Deliveries > 0 {
		dropped = fmt.Sprintf(", and drops it after %d workers", r.Deliveries)
	}
	return fmt.Sprintf("a task may take %s (spec.drain.maxTaskDuration), and the broker gives it to another worker after %s (%s)%s%s: "+
		"a longer task is done twice. Set that to more than %s, or maxTaskDuration to at most %s",
		most, r.After, r.Setting, dropped, unless, most, r.After)
}
