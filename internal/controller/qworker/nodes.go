package qworker

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/quickube/qscaler/internal/fleet"
)

// readNodes looks up the nodes that pods run on, by name. Without the right to read nodes they are all ordinary ones, and
// none is looked up. One that does not exist is an ordinary one, too: its pods are not known to be unreachable, the cache of
// nodes may be behind that of pods.
func (r *Reconciler) readNodes(ctx context.Context, pods []*corev1.Pod) (map[string]*corev1.Node, error) {
	if !r.watchesNodes {
		return nil, nil
	}
	nodes := map[string]*corev1.Node{}
	for _, pod := range pods {
		name := pod.Spec.NodeName
		if name == "" || nodes[name] != nil {
			continue
		}
		var node corev1.Node
		err := r.client.Get(ctx, types.NamespacedName{Name: name}, &node, client.UnsafeDisableDeepCopy)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading the node %s, %w", name, err)
		}
		nodes[name] = &node
	}
	return nodes, nil
}

// tenantsOf finds the QWorkers that have a pod on a node. Where the pods cannot be listed, it is all QWorkers.
func (r *Reconciler) tenantsOf(ctx context.Context, node client.Object) []reconcile.Request {
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.MatchingFields{fleet.NodeIndex: node.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the pods of a node; all QWorkers are reconciled", "node", node.GetName())
		return r.known("")
	}
	seen := map[types.NamespacedName]bool{}
	var requests []reconcile.Request
	for i := range pods.Items {
		owner := metav1.GetControllerOfNoCopy(&pods.Items[i])
		if owner == nil || owner.Kind != "QWorker" {
			continue
		}
		name := types.NamespacedName{Namespace: pods.Items[i].Namespace, Name: owner.Name}
		if !seen[name] {
			seen[name] = true
			requests = append(requests, reconcile.Request{NamespacedName: name})
		}
	}
	return requests
}

// nodeStateChanged lets those changes of nodes through that matter to their workers: nodes report every few seconds.
func nodeStateChanged() predicate.Predicate {
	marks := func(object client.Object) string {
		node, ok := object.(*corev1.Node)
		if !ok {
			return ""
		}
		return fleet.NodeMarks(node)
	}
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return marks(e.Object) != "" },
		UpdateFunc:  func(e event.UpdateEvent) bool { return marks(e.ObjectOld) != marks(e.ObjectNew) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return marks(e.Object) != "" },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}
