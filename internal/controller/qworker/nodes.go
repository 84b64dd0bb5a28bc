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

// readNodes looks up the nodes that the pods run on. Without the right to read nodes they are all ordinary ones.
func (s *scope) readNodes(ctx context.Context) error {
	if !s.watchesNodes {
		return nil
	}
	nodes := map[string]*corev1.Node{}
	for i, pod := range s.pods {
		name := pod.Spec.NodeName
		if name == "" {
			continue
		}
		if nodes[name] == nil {
			var err error
			if nodes[name], err = s.node(ctx, name); err != nil {
				return err
			}
		}
		state := fleet.StateOfNode(nodes[name], pod.Spec.Tolerations)
		s.states[i].NodeLeaving = state.Leaving && !s.isPinned(pod)
		s.states[i].Lost = s.states[i].Lost || state.Lost
	}
	return nil
}

// isPinned reports whether the pod's spec says on which node it is to be. Another like it would be there as well.
func (s *scope) isPinned(pod *corev1.Pod) bool {
	r := s.revision(fleet.RevisionOf(pod))
	return r != nil && r.PodSpec.NodeName != ""
}

// node reads a node from the cache. One that does not exist is an ordinary one: its pods are not known to be
// lost, the cache of nodes may be behind that of pods.
func (s *scope) node(ctx context.Context, name string) (*corev1.Node, error) {
	var node corev1.Node
	err := s.client.Get(ctx, types.NamespacedName{Name: name}, &node, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading the node %s, %w", name, err)
	}
	return &node, nil
}

// tenantsOf finds the QWorkers that have a pod on a node.
func (r *Reconciler) tenantsOf(ctx context.Context, node client.Object) []reconcile.Request {
	var pods corev1.PodList
	if err := r.client.List(ctx, &pods, client.MatchingFields{fleet.NodeIndex: node.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the pods of a node", "node", node.GetName())
		return nil
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
