package qworker_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// A broker that has become a replica answers every read, and gives no worker a task: that is said, and the fleet
// stays as it is.
func TestABrokerThatBecomesReadOnlyIsSaidToBe(t *testing.T) {
	c := newCluster(t)
	q := makeQWorker("fleet").replicas(0, 3)
	c.create(c.scalerConfig("config"), q)
	c.push(q.queueName(), 2)
	c.run(c.awaitPods("fleet", 2)...)
	c.awaitCondition("fleet", v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

	c.do("REPLICAOF", "127.0.0.1", "1")
	c.awaitCondition("fleet", v1alpha1.ConditionBrokerReachable, metav1.ConditionFalse, "ReadOnly")
	c.awaitEvent("ReadOnly")
	if with, without := granted(c.pods("fleet")); len(with) != 0 || len(without) != 2 {
		t.Errorf("%d workers hold grants and %d do not, want 0 and 2", len(with), len(without))
	}
	c.do("REPLICAOF", "NO", "ONE")
	c.awaitCondition("fleet", v1alpha1.ConditionBrokerReachable, metav1.ConditionTrue, "ReadSucceeded")
}
