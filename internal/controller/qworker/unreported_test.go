package qworker_test

import (
	"testing"

	"github.com/quickube/qscaler/worker/redislist"
)

// A kubelet may be late to report that a worker runs. Redis knows that it is at a task: the idle one leaves, and the busy
// one is not deleted.
func TestABusyWorkerThatIsNotReportedToRunStays(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	q := makeQWorker("w")
	c.push(q.queueName(), 3)
	c.create(c.scalerConfig("config"), q)
	pods := c.awaitPods("w", 3)
	c.run(pods[:2]...)
	busy := pods[2]
	for _, p := range pods {
		c.hold(q.queueName(), p.Name)
	}
	c.eventually("all tasks are in flight", func() string {
		if st := c.status("w"); st.Queue == nil || st.Queue.InFlight == nil || *st.Queue.InFlight != 3 {
			return "they are not"
		}
		return ""
	})
	for _, p := range pods[:2] {
		c.do("DEL", redislist.Processing(q.queueName(), p.Name))
	}
	with, without := c.awaitGrants("w", 1)
	if with[0].Name == busy.Name {
		t.Errorf("a grant was given to %s, which is busy", busy.Name)
	}
	for _, p := range without {
		if p.DeletionTimestamp != nil {
			t.Errorf("%s is deleted", p.Name)
		}
	}
	if len(without) != 2 {
		t.Errorf("%d others are there, want 2", len(without))
	}
}
