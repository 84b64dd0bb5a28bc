// Package scalerconfig reconciles ScalerConfigs: it has the backlog keep a connection to the broker, and
// shows in the status whether the broker answers, and if not, why not.
package scalerconfig

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/controller/requests"
	"github.com/quickube/qscaler/internal/controller/turns"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/ownwrites"
)

// Reconciler reconciles ScalerConfigs.
type Reconciler struct {
	client   client.Client
	resolver *connection.Resolver
	claim    func(ctx context.Context, namespace string) (broker.Claim, error)
	backlog  *backlog.Backlog
	recorder events.EventRecorder
	clock    clock.Clock
	requests requests.Queue
	// configs has the ScalerConfigs as this process last wrote them.
	configs *ownwrites.Overlay[types.NamespacedName, *v1alpha1.ScalerConfig]
}

// Options is what a Reconciler works with.
type Options struct {
	Client   client.Client
	Resolver *connection.Resolver
	// Claim is the one under which the tasks of a namespace's workers are returned.
	Claim    func(ctx context.Context, namespace string) (broker.Claim, error)
	Backlog  *backlog.Backlog
	Recorder events.EventRecorder
	Clock    clock.Clock
}

// New returns a Reconciler.
func New(o Options) *Reconciler {
	r := &Reconciler{
		client: o.Client, resolver: o.Resolver, claim: o.Claim, backlog: o.Backlog, recorder: o.Recorder, clock: o.Clock,
		configs: ownwrites.New[types.NamespacedName, *v1alpha1.ScalerConfig](),
	}
	r.resolver.OnPasswordChange(func(config types.NamespacedName) { r.requests.Add(config) })
	return r
}

// controllerName is in metrics, and in the log.
const controllerName = "scalerconfig"

// SetupWithManager registers the reconciler, what wakes it, and what it logs to.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, log logr.Logger) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		For(&v1alpha1.ScalerConfig{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Func(r.requests.Start)).
		WithOptions(controller.Options{
			LogConstructor:          logs.OfRequests(log, controllerName),
			MaxConcurrentReconciles: parallelReconciles,
			NewQueue:                turns.RateLimited(shares(), clock.RealClock{}),
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryBase, retryMax),
		}).
		Complete(r)
}

// retryBase and retryMax bound the back-off after a status could not be written: once the API server is back, it is to
// say at once what is.
const (
	retryBase = 100 * time.Millisecond
	retryMax  = 5 * time.Second
)

// parallelReconciles is how many ScalerConfigs are reconciled at once.
const parallelReconciles = 32

// shares are what a namespace may have of the reconciliations, so that a webhook that is slow with its statuses delays
// nobody else's.
func shares() turns.Limits {
	return turns.Limits{Namespace: 2, Slow: 1, AllSlow: parallelReconciles / 2, SlowAfter: time.Second, SlowFor: time.Minute}
}

// keyOf is the backlog's key of a ScalerConfig.
func keyOf(name types.NamespacedName) backlog.Key {
	return backlog.Key{Watcher: backlog.ScalerConfig, Namespace: name.Namespace, Name: name.Name}
}

// Notify wakes the ScalerConfig whose broker the backlog keeps under the key. It never blocks.
func (r *Reconciler) Notify(key backlog.Key) {
	r.requests.Add(types.NamespacedName{Namespace: key.Namespace, Name: key.Name})
}

// Reconcile shows the health of one ScalerConfig's broker.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	key := keyOf(request.NamespacedName)
	var config v1alpha1.ScalerConfig
	err := r.client.Get(ctx, request.NamespacedName, &config)
	if apierrors.IsNotFound(err) {
		r.backlog.Forget(key)
		r.configs.Forget(request.NamespacedName)
		r.resolver.ForgetPasswords(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the ScalerConfig, %w", err)
	}
	namespace, spec := config.Namespace, r.resolver.Normalise(&config)
	id := connection.ID(namespace, spec)
	r.backlog.Keep(key, backlog.Source{
		ID:   id,
		Name: request.String(),
		Kind: r.resolver.Kind(spec),
		Resolve: func(ctx context.Context) (broker.Config, error) {
			return r.resolver.Config(ctx, namespace, spec)
		},
		Claim:    func(ctx context.Context) (broker.Claim, error) { return r.claim(ctx, namespace) },
		HadRival: func() bool { return connection.HadRival(&config) },
	}, ptr.Deref(config.Spec.Config.Reclaim, true))
	// A broker that fails and answers again within a moment would else be shown as failing for good.
	newest := r.configs.Newest(request.NamespacedName, &config)
	health := r.backlog.Health(id)
	health.Risks = append(slices.Clone(health.Risks), r.resolver.Risks(namespace, spec, &config)...)
	return ctrl.Result{}, r.writeStatus(ctx, newest, health)
}
