package qworker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/events"
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
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/controller/wake"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/revision"
)

// Reconciler reconciles QWorkers.
type Reconciler struct {
	client   client.Client
	fleets   *fleet.Fleets
	history  *revision.History
	resolver *connection.Resolver
	backlog  *backlog.Backlog
	recorder events.EventRecorder
	clock    clock.Clock
	metrics  *metrics
	usage    *podmetrics.Watcher
	// resizable tells whether running pods can be resized.
	resizable *fleet.Resizable

	// watchesNodes is true where the operator may read nodes.
	watchesNodes bool
	// queueStatusInterval bounds how often the queue's figures alone are written.
	queueStatusInterval time.Duration

	takeover *fleet.Takeover
	memories memories
	wake     wake.Queue
}

// Options is what a Reconciler works with.
type Options struct {
	// Client reads from the cache and writes to the API server; Live reads from the API server.
	Client   client.Client
	Live     client.Reader
	Resolver *connection.Resolver
	Backlog  *backlog.Backlog
	Recorder events.EventRecorder
	Clock    clock.Clock
	Metrics  Registerer
	// Read lists what pods use, every UsageInterval; 0 is podmetrics.DefaultInterval.
	Read          podmetrics.Read
	UsageInterval time.Duration
	Discovery     discovery.ServerResourcesInterface
	// QueueStatusInterval bounds how often a status is written for nothing but the queue's figures; 0 is 10 s.
	QueueStatusInterval time.Duration
	// Namespaces are those that the cache has; none means all.
	Namespaces []string
	// WatchNodes is true where the operator may read nodes. Without, a node that is to go is not seen.
	WatchNodes bool
}

// New returns a Reconciler.
func New(o Options) *Reconciler {
	r := &Reconciler{
		client:       o.Client,
		fleets:       fleet.New(o.Client, o.Live, o.Clock),
		history:      &revision.History{Client: o.Client, Live: o.Live},
		resolver:     o.Resolver,
		backlog:      o.Backlog,
		recorder:     o.Recorder,
		clock:        o.Clock,
		metrics:      newMetrics(o.Metrics),
		takeover:     fleet.NewTakeover(o.Client, o.Live, o.Namespaces),
		watchesNodes: o.WatchNodes,

		queueStatusInterval: cmp.Or(o.QueueStatusInterval, defaultQueueStatusInterval),

		memories: memories{m: map[types.NamespacedName]*memory{}},

		resizable: fleet.NewResizable(o.Discovery),
	}
	r.usage = podmetrics.New(podmetrics.Options{
		Read: o.Read, Clock: clock.RealClock{}, Interval: o.UsageInterval, Notify: r.wake.Add,
	})
	return r
}

const (
	// parallelReconciles is how many QWorkers are reconciled at once. Their time goes into waiting for the
	// API server.
	parallelReconciles = 16
	// retryBase and retryMax bound the back-off after a failed reconciliation. It is short: what mostly fails is the
	// API server as a whole, and once that is back every fleet is to go on at once.
	retryBase = 100 * time.Millisecond
	retryMax  = 5 * time.Second
)

// SetupWithManager registers the reconciler, what wakes it, and the indexes that it reads by.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := mgr.Add(r.usage); err != nil {
		return fmt.Errorf("adding the reader of pod metrics, %w", err)
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
		Named("qworker").
		For(&v1alpha1.QWorker{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&corev1.Pod{}).
		Watches(&v1alpha1.ScalerConfig{}, handler.EnqueueRequestsFromMapFunc(r.usersOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Source()).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: parallelReconciles,
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

// Reconcile brings one QWorker nearer to its spec.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if caughtUp, err := r.takeover.Done(ctx); err != nil || !caughtUp {
		return ctrl.Result{RequeueAfter: retryBase}, err
	}
	var qw v1alpha1.QWorker
	err := r.client.Get(ctx, request.NamespacedName, &qw)
	if apierrors.IsNotFound(err) {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the QWorker, %w", err)
	}
	return r.reconcile(ctx, &qw)
}

func (r *Reconciler) reconcile(ctx context.Context, qw *v1alpha1.QWorker) (ctrl.Result, error) {
	present, former := r.memories.of(client.ObjectKeyFromObject(qw), qw.UID)
	if former != nil {
		r.release(former)
	}
	s := &scope{Reconciler: r, qw: qw, memory: present, now: r.clock.Now()}
	s.useNewestStatus()

	err := s.reconcile(ctx)
	if s.gone {
		r.forget(client.ObjectKeyFromObject(qw))
		return ctrl.Result{}, nil
	}
	if s.postpone(err) {
		return ctrl.Result{RequeueAfter: s.postponedFor()}, nil
	}
	if !apierrors.IsConflict(err) {
		err = errors.Join(err, s.writeStatus(ctx, err))
	}
	if apierrors.IsConflict(err) {
		// Somebody else has written, or the cache is behind what was written: again with the newer object.
		return ctrl.Result{RequeueAfter: retryBase}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: s.requeueAfter()}, nil
}

// forget releases what is held for a QWorker that no longer exists.
func (r *Reconciler) forget(name types.NamespacedName) {
	if m := r.memories.forget(name); m != nil {
		r.release(m)
	}
	r.usage.Forget(name)
	r.metrics.forget(name)
}

func (r *Reconciler) release(m *memory) {
	for key := range m.watches {
		r.backlog.Forget(key)
	}
	r.fleets.Forget(m.uid)
}

// keyPrefix starts the backlog's keys of QWorkers.
const keyPrefix = "qworker/"

// Notify wakes the QWorker whose queue the backlog watches under the key; it reports whether the key is one
// of a QWorker. It never blocks.
func (r *Reconciler) Notify(key string) bool {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return false
	}
	namespace, rest, _ := strings.Cut(rest, "/")
	name, _, _ := strings.Cut(rest, "/")
	r.wake.Add(types.NamespacedName{Namespace: namespace, Name: name})
	return true
}

// Source is what wakes the controller from outside of Kubernetes: readings, and the usage of pods.
func (r *Reconciler) Source() source.Source { return source.Func(r.wake.Start) }

const scalerConfigIndex = "spec.scaleConfig.scalerConfigRef"

func byScalerConfig(object client.Object) []string {
	return []string{object.(*v1alpha1.QWorker).Spec.ScaleConfig.ScalerConfigRef}
}

// usersOf finds the QWorkers that refer to a ScalerConfig.
func (r *Reconciler) usersOf(ctx context.Context, config client.Object) []reconcile.Request {
	var list v1alpha1.QWorkerList
	err := r.client.List(ctx, &list, client.InNamespace(config.GetNamespace()),
		client.MatchingFields{scalerConfigIndex: config.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the QWorkers of a ScalerConfig", "scalerConfig", config.GetName())
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
