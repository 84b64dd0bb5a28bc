package qworker_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// The API server refuses a status whose message is too long, and with it everything that the status says.
func TestARefusalInManyWordsIsSaidInFewer(t *testing.T) {
	c := newCluster(t)
	q := makeQWorker("wordy").replicas(1, 1)
	for i := range 300 {
		q.Spec.PodSpec.Containers = append(q.Spec.PodSpec.Containers, corev1.Container{Name: fmt.Sprintf("No_Name_For_A_Container_%d", i), Image: "i"})
	}
	c.create(c.scalerConfig("config"), q)
	condition := c.awaitCondition("wordy", v1alpha1.ConditionReady, metav1.ConditionFalse, "PodRefused")
	if n := len(condition.Message); n > 2048 || !strings.HasSuffix(condition.Message, "...") {
		t.Errorf("the message has %d bytes: %s", n, condition.Message)
	}
}
