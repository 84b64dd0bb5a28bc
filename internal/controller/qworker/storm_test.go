package qworker_test

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/planner"
)

// When more queues burst at once than have their turn at once, statuses wait for pods. In the end each says what is, and
// each pod was told of once.
func TestAStormOfQueues(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.create(c.scalerConfig("config"))
	const queues = 60
	var names []string
	for i := range queues {
		q := makeQWorker(fmt.Sprint("w-", i))
		c.create(q)
		names = append(names, q.queueName())
	}
	for i := range queues {
		c.awaitCondition(fmt.Sprint("w-", i), v1alpha1.ConditionReady, metav1.ConditionTrue, "Idle")
	}
	burst := []string{"EVAL", "for _, queue in ipairs(KEYS) do redis.call('LPUSH', queue, 'task') end", fmt.Sprint(queues)}
	c.do(append(burst, names...)...)
	for i := range queues {
		worker := fmt.Sprint("w-", i)
		pods := c.awaitPods(worker, 1)
		c.eventually("the status of "+worker, func() string {
			if st := c.status(worker); st.DesiredReplicas != 1 || st.CurrentReplicas != 1 || st.CurrentPodSpecHash == "" {
				return fmt.Sprintf("it is %+v", st)
			}
			return ""
		})
		c.run(pods...)
		c.awaitCondition(worker, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	}
	c.eventually("an event of each creation", func() string {
		told := map[string]int{}
		for _, e := range c.events() {
			if e.Reason == string(planner.Create) {
				told[e.Regarding.Name]++
			}
		}
		for i := range queues {
			if worker := fmt.Sprint("w-", i); told[worker] != 1 {
				return fmt.Sprintf("there are %d of %s", told[worker], worker)
			}
		}
		return ""
	})
}
