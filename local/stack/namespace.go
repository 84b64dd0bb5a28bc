package stack

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/quickube/qscaler/internal/operator"
)

// leaseNamespace is the namespace of the operator's lease, and of its key, in a cluster that the user has: an operator that
// the cluster already runs has its lease there, so that the two do not act at once.
type leaseNamespace struct {
	config *rest.Config
	client kubernetes.Interface
	// made is the namespace, where local mode made it.
	made *corev1.Namespace
}

func makeLeaseNamespace(ctx context.Context, config *rest.Config) (*leaseNamespace, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	n := &leaseNamespace{config: config, client: client}
	made, err := client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}, metav1.CreateOptions{FieldManager: "qscaler-local"})
	switch {
	case apierrors.IsAlreadyExists(err):
	case err != nil:
		return nil, fmt.Errorf("creating the namespace %s for the operator's lease, %w", operatorNamespace, err)
	default:
		n.made = made
		if _, err := client.CoreV1().Secrets(operatorNamespace).Create(ctx, keySecret(), metav1.CreateOptions{FieldManager: "qscaler-local"}); err != nil {
			return nil, fmt.Errorf("creating the Secret for the key of the operator's fingerprints, %w", err)
		}
	}
	return n, nil
}

// remove removes the namespace where local mode made it and nobody has put anything there. Otherwise it says in kept what
// is there.
func (n *leaseNamespace) remove() (kept string, err error) {
	if n.made == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if kept, err = n.othersThings(ctx); kept != "" || err != nil {
		return kept, err
	}
	err = n.client.CoreV1().Namespaces().Delete(ctx, operatorNamespace, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(n.made.UID))})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return "", nil
	}
	return "", err
}

// comesByItself is what is in a namespace without anybody's doing, and what is the operator's.
var comesByItself = map[schema.GroupResource]map[string]bool{
	{Resource: "configmaps"}:                           {"kube-root-ca.crt": true},
	{Resource: "serviceaccounts"}:                      {"default": true},
	{Resource: "secrets"}:                              {operator.FingerprintSecretName: true},
	{Group: "coordination.k8s.io", Resource: "leases"}: {operator.LeaseName: true},
	{Resource: "events"}:                               nil,
	{Group: "events.k8s.io", Resource: "events"}:       nil,
	{Group: "metrics.k8s.io", Resource: "pods"}:        nil,
}

// othersThings names one thing that is in the namespace and that local mode has not put there; empty for none.
func (n *leaseNamespace) othersThings(ctx context.Context) (string, error) {
	client, err := metadata.NewForConfig(n.config)
	if err != nil {
		return "", err
	}
	lists, err := n.client.Discovery().ServerPreferredNamespacedResources()
	if err != nil {
		return "", fmt.Errorf("asking what may be in the namespace %s, %w", operatorNamespace, err)
	}
	resources, err := discovery.GroupVersionResources(discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists))
	if err != nil {
		return "", err
	}
	for resource := range resources {
		expected, known := comesByItself[resource.GroupResource()]
		if known && expected == nil {
			continue
		}
		found, err := client.Resource(resource).Namespace(operatorNamespace).List(ctx, metav1.ListOptions{Limit: 10})
		if err != nil {
			return "", fmt.Errorf("asking for the %s of the namespace %s, %w", resource.Resource, operatorNamespace, err)
		}
		for _, object := range found.Items {
			if !expected[object.Name] {
				return resource.Resource + "/" + object.Name, nil
			}
		}
	}
	return "", nil
}
