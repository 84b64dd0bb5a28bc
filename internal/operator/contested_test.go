package operator_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// Two operators that know nothing of each other act on one namespace: the QWorkers there say so, and name both.
func TestTwoOperatorsOverOneNamespace(t *testing.T) {
	namespace, other, c := controlplanetest.Namespace(t, shared), controlplanetest.Namespace(t, shared), newClient(t)
	start := func(lease string) {
		run(t, operator.Options{
			Namespaces: []string{namespace}, MetricsAddress: "0", ProbeAddress: "0",
			LeaderElection: true, LeaderElectionNamespace: lease,
		})
	}
	start(namespace)
	create(t, c, namespace, redisservertest.Start(t), "fleet", 1)
	await(t, "a worker", func() string {
		if pods(t, c, namespace) == 0 {
			return "there is none"
		}
		return ""
	})
	read := func() *v1alpha1.QWorker {
		var qw v1alpha1.QWorker
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "fleet"}, &qw); err != nil {
			t.Fatal(err)
		}
		return &qw
	}
	if condition := meta.FindStatusCondition(read().Status.Conditions, v1alpha1.ConditionContested); condition != nil {
		t.Errorf("of one operator it says: %v", condition)
	}
	start(other)
	await(t, "the QWorker to say so", func() string {
		qw := read()
		if condition := meta.FindStatusCondition(qw.Status.Conditions, v1alpha1.ConditionContested); condition != nil {
			for _, lease := range []string{namespace, other} {
				if !strings.Contains(condition.Message, "qscaler-of-"+lease) {
					t.Fatalf("it does not name the operator of %s: %s", lease, condition.Message)
				}
			}
			return ""
		}
		before := qw.DeepCopy()
		qw.Spec.ScaleConfig.MinReplicas = 3 - qw.Spec.ScaleConfig.MinReplicas
		if err := c.Patch(t.Context(), qw, client.MergeFrom(before)); err != nil {
			return err.Error()
		}
		return "it has no such condition"
	})
}
