package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

func TestTasksProtected(t *testing.T) {
	const kind = v1alpha1.ConditionTasksProtected
	const after = "a task may take 1h0m0s (spec.drain.maxTaskDuration), and the broker gives it to another worker after 30s (its limit)"
	const remedy = ": a longer task is done twice. Set that to more than 1h0m0s, or maxTaskDuration to at most 30s"
	const once = "the broker gives a task to one worker, and never again (max_deliver of the consumer is 1): the task of a worker that is killed is lost. Set max_deliver to 2 or more, or to -1"
	told := func(change func(*Redelivery)) Redelivery {
		r := Redelivery{Known: true, After: 30 * time.Second, Setting: "its limit"}
		change(&r)
		return r
	}
	certain := told(func(*Redelivery) {})
	possible := told(func(r *Redelivery) { r.Unless = "the worker says so" })
	earlier := isFalse(kind, ReasonRedeliveryTooSoon, "as an earlier leader has said")
	cases := map[string]struct {
		redelivery Redelivery
		most       time.Duration
		written    []metav1.Condition
		want       metav1.Condition
	}{
		"the broker gives it away in any case":        {certain, time.Hour, nil, isFalse(kind, ReasonRedeliveryTooSoon, after+remedy)},
		"unless the worker says so":                   {possible, time.Hour, nil, Unknown(kind, ReasonRedeliveryPossible, after+", unless the worker says so"+remedy)},
		"the worker could say so, and tasks were":     {told(func(r *Redelivery) { r.Unless, r.Again = "it says so", true }), time.Hour, nil, isFalse(kind, ReasonRedeliveryTooSoon, "tasks were given to more than one worker: "+after+", unless it says so"+remedy)},
		"it is dropped in the end":                    {told(func(r *Redelivery) { r.Deliveries = 3 }), time.Hour, nil, isFalse(kind, ReasonRedeliveryTooSoon, after+", and drops it after 3 workers"+remedy)},
		"the limit is as long as a task":              {certain, 30 * time.Second, nil, Absent(kind)},
		"the limit is a little too short":             {certain, 31 * time.Second, nil, isFalse(kind, ReasonRedeliveryTooSoon, "a task may take 31s (spec.drain.maxTaskDuration), and the broker gives it to another worker after 30s (its limit): a longer task is done twice. Set that to more than 31s, or maxTaskDuration to at most 30s")},
		"nobody has said how long a task may take":    {certain, 0, nil, Absent(kind)},
		"tasks come again, and fit the limit":         {told(func(r *Redelivery) { r.Again = true }), time.Second, nil, Absent(kind)},
		"the broker has no limit":                     {Redelivery{Known: true}, time.Hour, []metav1.Condition{earlier}, Absent(kind)},
		"a task is given once, however long":          {Redelivery{Known: true, Deliveries: 1}, 0, nil, isFalse(kind, ReasonDeliveredOnce, once)},
		"a task is given twice":                       {Redelivery{Known: true, Deliveries: 2}, time.Hour, nil, Absent(kind)},
		"the broker has told nothing, and never":      {Redelivery{}, time.Hour, nil, Absent(kind)},
		"the broker has told it to an earlier leader": {Redelivery{}, time.Hour, []metav1.Condition{earlier}, earlier},
		"the news take the place of what was said":    {possible, time.Hour, []metav1.Condition{earlier}, Unknown(kind, ReasonRedeliveryPossible, after+", unless the worker says so"+remedy)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := tasksProtected(Observed{Redelivery: c.redelivery, MaxTaskDuration: c.most}, c.written)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
