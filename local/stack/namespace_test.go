package stack

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/quickube/qscaler/internal/operator"
	"github.com/quickube/qscaler/local/controlplane/controlplanetest"
)

// On a cluster that the user has, local mode removes the namespace of its lease, and nothing that others have put there.
func TestTheNamespaceOfTheLease(t *testing.T) {
	config := controlplanetest.Start(t).Config()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	first, err := makeLeaseNamespace(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: operator.LeaseName}}
	if _, err := client.CoordinationV1().Leases(operatorNamespace).Create(ctx, lease, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	secrets := client.CoreV1().Secrets(operatorNamespace)
	if _, err := secrets.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	terminating := func() bool {
		namespace, err := client.CoreV1().Namespaces().Get(ctx, operatorNamespace, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return namespace.DeletionTimestamp != nil // no controller of this API server ends a namespace
	}
	if kept, err := first.remove(); kept != "secrets/theirs" || err != nil || terminating() {
		t.Errorf("with somebody's secret, it stays because of %q (%v), terminating %t", kept, err, terminating())
	}
	second, err := makeLeaseNamespace(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := secrets.Delete(ctx, "theirs", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if kept, err := second.remove(); kept != "" || err != nil || terminating() {
		t.Errorf("one that was there before is removed: %q, %v, terminating %t", kept, err, terminating())
	}
	if kept, err := first.remove(); kept != "" || err != nil || !terminating() {
		t.Errorf("with the lease alone, it stays because of %q (%v), terminating %t", kept, err, terminating())
	}
}
