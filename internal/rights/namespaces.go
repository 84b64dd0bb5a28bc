package rights

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/internal/metrics"
)

// Options is what Namespaces work with.
type Options struct {
	// Live reads from the API server.
	Live client.Reader
	// Kinds are those that the operator must be able to list.
	Kinds []schema.GroupVersionKind
	// Namespaces are those that the operator watches; none means all together.
	Namespaces []string
	Clock      clock.Clock
	Log        logr.Logger
	// Registerer gets the metric; nil registers none.
	Registerer metrics.Registerer
}

// Namespaces know in which namespaces the operator may not read.
type Namespaces struct {
	options Options

	mu sync.Mutex
	// known has what was found last, by namespace: nil where all may be read.
	known map[string]error
	// again is closed when the namespaces are to be asked for again. Doubted is when that was last so.
	again   chan struct{}
	doubted time.Time
}

// NewNamespaces returns Namespaces of which nothing is known before Start.
func NewNamespaces(o Options) *Namespaces {
	if len(o.Namespaces) == 0 {
		o.Namespaces = []string{metav1.NamespaceAll}
	}
	n := &Namespaces{options: o, known: map[string]error{}, again: make(chan struct{})}
	metrics.NamespaceReadable().RegisterFunc(o.Registerer, n.values)
	return n
}

// Start asks for the rights in each namespace, until ctx is done. Where they are missing it asks again, after a growing
// pause; where they are there it asks again after Doubt.
func (n *Namespaces) Start(ctx context.Context) error {
	var asking sync.WaitGroup
	for _, namespace := range n.options.Namespaces {
		asking.Go(func() { n.follow(ctx, namespace) })
	}
	asking.Wait()
	return nil
}

// NeedLeaderElection is manager.LeaderElectionRunnable's: who waits for its turn says, too, what it may not read.
func (n *Namespaces) NeedLeaderElection() bool { return false }

func (n *Namespaces) follow(ctx context.Context, namespace string) {
	pause := retry.Next(0)
	for {
		again := n.doubt()
		err := n.ask(ctx, namespace)
		if ctx.Err() != nil {
			return
		}
		n.note(namespace, err)
		if err == nil {
			pause = retry.Next(0)
			select {
			case <-ctx.Done():
				return
			case <-again:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-n.options.Clock.After(pause):
			pause = retry.Next(pause)
		}
	}
}

// ask lists one object of each kind.
func (n *Namespaces) ask(ctx context.Context, namespace string) error {
	for _, kind := range n.options.Kinds {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := n.options.Live.List(ctx, &list, client.InNamespace(namespace), client.Limit(1)); err != nil {
			return err
		}
	}
	return nil
}

// note remembers what was found. That the API server does not answer says nothing of rights.
func (n *Namespaces) note(namespace string, err error) {
	if err != nil && !apierrors.IsForbidden(err) {
		return
	}
	n.mu.Lock()
	before, asked := n.known[namespace]
	n.known[namespace] = err
	n.mu.Unlock()
	switch {
	case err != nil && before == nil:
		n.options.Log.Error(err, "The operator has no rights in a namespace, and does nothing there until it has; the others go on", "namespace", nameOf(namespace))
	case err == nil && asked && before != nil:
		n.options.Log.Info("The operator has its rights in the namespace now", "namespace", nameOf(namespace))
	}
}

// Doubt has the rights asked for again, after something was refused. While it is refused again and again, that is done now
// and then.
func (n *Namespaces) Doubt() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.options.Clock.Now()
	if now.Sub(n.doubted) < retry.Longest {
		return
	}
	close(n.again)
	n.again, n.doubted = make(chan struct{}), now
}

func (n *Namespaces) doubt() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.again
}

// Refused has the namespaces in which the operator may not read, and why. All is true where there is no other.
func (n *Namespaces) Refused() (refused map[string]error, all bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	refused = map[string]error{}
	for namespace, err := range n.known {
		if err != nil {
			refused[nameOf(namespace)] = err
		}
	}
	return refused, len(refused) == len(n.options.Namespaces)
}

// values are those of the metric.
func (n *Namespaces) values() map[string]float64 {
	n.mu.Lock()
	known := maps.Clone(n.known)
	n.mu.Unlock()
	values := map[string]float64{}
	for namespace, err := range known {
		if values[nameOf(namespace)] = 1; err != nil {
			values[nameOf(namespace)] = 0
		}
	}
	return values
}

// nameOf is a namespace in words.
func nameOf(namespace string) string { return cmp.Or(namespace, "*") }
