package qworker

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/controller/turns"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/revision"
)

// controllerName is in metrics, and in the log.
const controllerName = "qworker"

// SetupWithManager registers the reconciler, what wakes it, the indexes that it reads by, and what it logs to.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, log logr.Logger) error {
	if err := mgr.Add(r.usage); err != nil {
		return fmt.Errorf("adding the reader of pod metrics, %w", err)
	}
	if err := mgr.Add(r.configs); err != nil {
		return fmt.Errorf("adding the reader of Secrets and ConfigMaps, %w", err)
	}
	if err := mgr.Add(r.deadTasks); err != nil {
		return fmt.Errorf("adding the recovery of dead workers' tasks, %w", err)
	}
	indexer := mgr.GetFieldIndexer()
	if err := indexer.IndexField(context.Background(), &corev1.Pod{}, fleet.OwnerIndex, fleet.IndexByOwner); err != nil {
		return fmt.Errorf("indexing pods by their owner, %w", err)
	}
	if err := indexer.IndexField(context.Background(), &appsv1.ControllerRevision{}, revision.OwnerIndex, revision.IndexByOwner); err != nil {
		return fmt.Errorf("indexing revisions by their owner, %w", err)
	}
	if err := indexer.IndexField(context.Background(), &v1alpha1.QWorker{}, scalerConfigIndex, byScalerConfig); err != nil {
		return fmt.Errorf("indexing QWorkers by their ScalerConfig, %w", err)
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		For(&v1alpha1.QWorker{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&corev1.Pod{}).
		Watches(&v1alpha1.ScalerConfig{}, handler.EnqueueRequestsFromMapFunc(r.usersOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Source()).
		WithOptions(controller.Options{
			LogConstructor:          logs.OfRequests(log, controllerName),
			MaxConcurrentReconciles: parallelReconciles,
			NewQueue:                turns.RateLimited(shares(), clock.RealClock{}),
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryBase, retryMax),
		})
	if r.watchesNodes {
		if err := indexer.IndexField(context.Background(), &corev1.Pod{}, fleet.NodeIndex, fleet.IndexByNode); err != nil {
			return fmt.Errorf("indexing pods by their node, %w", err)
		}
		b = b.Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.tenantsOf), builder.WithPredicates(nodeStateChanged()))
	}
	return b.Complete(r)
}

// Notify wakes the QWorker whose queue the backlog watches under the key. It never blocks.
func (r *Reconciler) Notify(key backlog.Key) {
	r.requests.Add(types.NamespacedName{Namespace: key.Namespace, Name: key.Name})
}

// Source is what wakes the controller from outside of Kubernetes: readings, and the usage of pods.
func (r *Reconciler) Source() source.Source { return source.Func(r.requests.Start) }

// known has the QWorkers of a namespace that this process knows, of all namespaces where it is "". They are woken for a
// change of which nobody can say whom it concerns. Each reads for itself what has changed, and tries that again until it can.
// A QWorker that is not known has yet to be reconciled for the first time.
func (r *Reconciler) known(namespace string) []reconcile.Request {
	names := r.memories.names(namespace)
	requests := make([]reconcile.Request, len(names))
	for i, name := range names {
		requests[i].NamespacedName = name
	}
	return requests
}

const scalerConfigIndex = "spec.scaleConfig.scalerConfigRef"

func byScalerConfig(object client.Object) []string {
	return []string{object.(*v1alpha1.QWorker).Spec.ScaleConfig.ScalerConfigRef}
}

// usersOf finds the QWorkers that refer to a ScalerConfig. Where they cannot be listed, it is all of the namespace.
func (r *Reconciler) usersOf(ctx context.Context, config client.Object) []reconcile.Request {
	var list v1alpha1.QWorkerList
	err := r.client.List(ctx, &list, client.InNamespace(config.GetNamespace()),
		client.MatchingFields{scalerConfigIndex: config.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the QWorkers of a ScalerConfig; all of its namespace are reconciled", "scalerConfig", config.GetName())
		return r.known(config.GetNamespace())
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}

// wakeUsersOf wakes the QWorkers that refer to a ScalerConfig: its workers' password is another.
func (r *Reconciler) wakeUsersOf(scalerConfig types.NamespacedName) {
	config := &v1alpha1.ScalerConfig{}
	config.Namespace, config.Name = scalerConfig.Namespace, scalerConfig.Name
	for _, request := range r.usersOf(context.Background(), config) {
		r.requests.Add(request.NamespacedName)
	}
}
