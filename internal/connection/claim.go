package connection

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/broker"
)

// Claims says under which claim an operator returns the tasks of a namespace's workers. It may be used by several
// goroutines at once.
type Claims struct {
	// Live reads from the API server.
	Live client.Reader
	// Process names this process among all that have ever run.
	Process string
	// Namespaced is true for an operator that has rights in some namespaces only. Another may have them in the others, and
	// they share brokers: each namespace is claimed by itself then.
	Namespaced bool

	mu sync.Mutex
	// uids are those of namespaces. A namespace that is deleted and created again has another; its claim then stays the
	// one of its predecessor, which is as good: the copies of this process' own cluster have it too.
	uids map[string]types.UID
}

// clusterNamespace is there in every cluster, and nobody can delete it: its UID names the cluster. A copy of the cluster's
// etcd has the same, and that is the purpose.
const clusterNamespace = "kube-system"

// Of is the claim for a namespace.
func (c *Claims) Of(ctx context.Context, namespace string) (broker.Claim, error) {
	if !c.Namespaced {
		namespace = clusterNamespace
	}
	c.mu.Lock()
	uid, known := c.uids[namespace]
	c.mu.Unlock()
	if known {
		return broker.Claim{Cluster: string(uid), Process: c.Process}, nil
	}
	object := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	if err := c.Live.Get(ctx, types.NamespacedName{Name: namespace}, object); err != nil {
		return broker.Claim{}, fmt.Errorf("reading the UID of namespace %s, which tells this operator from others; give its service account the verb get on that namespace, %w", namespace, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uids == nil {
		c.uids = map[string]types.UID{}
	}
	c.uids[namespace] = object.UID
	return broker.Claim{Cluster: string(object.UID), Process: c.Process}, nil
}
