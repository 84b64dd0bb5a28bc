package report

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/controller/words"
)

// Tasks is what is known of the tasks that workers are at.
type Tasks struct {
	// Unseen has the revisions with workers of which none was ever seen at a task.
	Unseen []string
	// Staying is how many workers would be told to end, and are not, because they may be at a task that nobody sees.
	Staying int
}

// tasksSeen is there while workers may be at tasks that QScaler does not see. It is False while workers stay for that.
// Before the queue was read, what an earlier leader has said stands.
func tasksSeen(o Observed, written []metav1.Condition) metav1.Condition {
	const kind = v1alpha1.ConditionTasksSeen
	before := meta.FindStatusCondition(written, kind)
	switch {
	case !o.Queue.Known && before != nil:
		return *before
	case !o.Queue.Known || len(o.Tasks.Unseen) == 0:
		return Absent(kind)
	case o.Tasks.Staying > 0:
		return Is(kind, false, ReasonTasksMayBeHidden, fmt.Sprintf(
			"QScaler would end %s now, and does not, because spec.drain.mode is Signal: %s. "+
				"Use %sa worker that reads the drain file, with spec.drain.mode Grant; "+
				"or set spec.drain.mayEndUnseenTasks to true, and a task that takes longer than the grace period is interrupted",
			words.HowMany(o.Tasks.Staying, "worker", "workers"), unseenMessage(o), visibleWorker(o)))
	}
	return Unknown(kind, ReasonNoTaskSeen, unseenMessage(o))
}

// unseenMessage says what QScaler cannot see.
func unseenMessage(o Observed) string {
	if o.Queue.InFlight == nil {
		return "the broker does not tell how many tasks are in flight, and QScaler does not know which workers are idle. " +
			"The desired number of workers does not fall"
	}
	revisions := o.Tasks.Unseen
	of := "revision " + revisions[0]
	if len(revisions) > 1 {
		of = "the revisions " + strings.Join(revisions, ", ")
	}
	return fmt.Sprintf("no worker of %s was ever seen with a task, and QScaler does not know which of them are idle. "+
		"QScaler does not see tasks that workers take in a way that the broker does not show, as from a Redis list with BRPOP, Celery or RQ, "+
		"and does not count them as in flight", of)
}

// visibleWorker is the worker that would help where the broker can show tasks, "" where it cannot.
func visibleWorker(o Observed) string {
	if o.Queue.InFlight == nil {
		return ""
	}
	return "a worker whose tasks the broker shows, on Redis one that takes them with BLMOVE into its processing list; or "
}
