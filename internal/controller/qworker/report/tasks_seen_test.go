package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestTasksSeen(t *testing.T) {
	const kind = v1alpha1.ConditionTasksSeen
	const unseen = " was ever seen with a task, and QScaler does not know which of them are idle. QScaler does not see tasks that workers take in a way that the broker does not show, as from a Redis list with BRPOP, Celery or RQ, and does not count them as in flight"
	const remedy = ". Use a worker whose tasks the broker shows, on Redis one that takes them with BLMOVE into its processing list; or a worker that reads the drain file, with spec.drain.mode Grant; or set spec.drain.mayEndUnseenTasks to true, and a task that takes longer than the grace period is interrupted"
	const untold = "the broker does not tell how many tasks are in flight, and QScaler does not know which workers are idle. The desired number of workers does not fall"
	read := func(tasks Tasks) Observed {
		return Observed{Queue: Queue{Known: true, InFlight: ptr.To[int64](0)}, Tasks: tasks}
	}
	uncounted := func(tasks Tasks) Observed { return Observed{Queue: Queue{Known: true}, Tasks: tasks} }
	unknown := Unknown(kind, ReasonNoTaskSeen, "no worker of revision r0"+unseen)
	cases := map[string]struct {
		observed Observed
		written  []metav1.Condition
		want     metav1.Condition
	}{
		"all were seen at tasks":                     {read(Tasks{}), nil, Absent(kind)},
		"none of a revision was":                     {read(Tasks{Unseen: []string{"r1"}}), nil, Unknown(kind, ReasonNoTaskSeen, "no worker of revision r1"+unseen)},
		"none of two revisions":                      {read(Tasks{Unseen: []string{"r1", "r2"}}), nil, Unknown(kind, ReasonNoTaskSeen, "no worker of the revisions r1, r2"+unseen)},
		"one stays for that":                         {read(Tasks{Unseen: []string{"r1"}, Staying: 1}), nil, isFalse(kind, ReasonTasksMayBeHidden, "QScaler would end 1 worker now, and does not, because spec.drain.mode is Signal: no worker of revision r1"+unseen+remedy)},
		"the queue was not read, and never was":      {Observed{}, nil, Absent(kind)},
		"the queue was read by an earlier leader":    {Observed{}, []metav1.Condition{unknown}, unknown},
		"several stay":                               {read(Tasks{Unseen: []string{"r1"}, Staying: 3}), nil, isFalse(kind, ReasonTasksMayBeHidden, "QScaler would end 3 workers now, and does not, because spec.drain.mode is Signal: no worker of revision r1"+unseen+remedy)},
		"the broker counts none in flight":           {uncounted(Tasks{Unseen: []string{"r1"}}), nil, Unknown(kind, ReasonNoTaskSeen, untold)},
		"it counts none, and one stays for that":     {uncounted(Tasks{Unseen: []string{"r1"}, Staying: 1}), nil, isFalse(kind, ReasonTasksMayBeHidden, "QScaler would end 1 worker now, and does not, because spec.drain.mode is Signal: "+untold+". Use a worker that reads the drain file, with spec.drain.mode Grant; or set spec.drain.mayEndUnseenTasks to true, and a task that takes longer than the grace period is interrupted")},
		"what was said before gives way to the news": {read(Tasks{Unseen: []string{"r1"}}), []metav1.Condition{unknown}, Unknown(kind, ReasonNoTaskSeen, "no worker of revision r1"+unseen)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, tasksSeen(c.observed, c.written)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
