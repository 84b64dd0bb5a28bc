package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestTasksSeen(t *testing.T) {
	const kind = v1alpha1.ConditionTasksSeen
	const unseen = " was ever seen with a task in its processing list, and QScaler does not know which of them are idle. Tasks that a worker takes otherwise, as with BRPOP, Celery or RQ, are in no list: QScaler does not see them, and does not count them as in flight"
	const remedy = ". Use a worker that takes its tasks with BLMOVE into its processing list; or one that reads the drain file, with spec.drain.mode Grant; or set spec.drain.mayEndUnseenTasks to true, and a task that takes longer than the grace period is interrupted"
	read := func(tasks Tasks) Observed { return Observed{Queue: Queue{Known: true}, Tasks: tasks} }
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
