// Package scalerconfig reconciles ScalerConfigs: it has the backlog keep a connection to the broker, and
// shows in the status whether the broker answers, and if not, why not.
package scalerconfig

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
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
	"github.com/quickube/qscaler/internal/controller/wake"
)

// Reconciler reconciles ScalerConfigs.
type Reconciler struct {
	client   client.Client
	resolver *connection.Resolver
	backlog  *backlog.Backlog
	recorder events.EventRecorder
	clock    clock.Clock
	wake     wake.Queue
	// written has the status that was last written of each ScalerConfig, for as long as the cache shows an
	// older one. There is one worker, and so no lock.
	written map[types.NamespacedName]written
}

// Options is what a Reconciler works with.
type Options struct {
	Client   client.Client
	Resolver *connection.Resolver
	Backlog  *backlog.Backlog
	Recorder events.EventRecorder
	Clock    clock.Clock
}

// New returns a Reconciler.
func New(o Options) *Reconciler {
	return &Reconciler{
		client: o.Client, resolver: o.Resolver, backlog: o.Backlog, recorder: o.Recorder, clock: o.Clock,
		written: map[types.NamespacedName]written{},
	}
}

// SetupWithManager registers the reconciler and what wakes it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("scalerconfig").
		For(&v1alpha1.ScalerConfig{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Func(r.wake.Start)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: 1,
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

// keyPrefix starts the backlog's keys of ScalerConfigs.
const keyPrefix = "scalerconfig/"

// Key is the backlog's key of a ScalerConfig.
func Key(namespace, name string) string { return keyPrefix + namespace + "/" + name }

// Notify wakes the ScalerConfig whose broker the backlog keeps under the key; it reports whether the key is
// one of a ScalerConfig. It never blocks.
func (r *Reconciler) Notify(key string) bool {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return false
	}
	namespace, name, _ := strings.Cut(rest, "/")
	r.wake.Add(types.NamespacedName{Namespace: namespace, Name: name})
	return true
}

// Reconcile shows the health of one ScalerConfig's broker.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	key := Key(request.Namespace, request.Name)
	var config v1alpha1.ScalerConfig
	err := r.client.Get(ctx, request.NamespacedName, &config)
	if apierrors.IsNotFound(err) {
		r.backlog.Forget(key)
		delete(r.written, request.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("reading the ScalerConfig, %w", err)
	}
	namespace, spec := config.Namespace, connection.Normalise(&config)
	id := connection.ID(namespace, spec)
	r.backlog.Keep(key, backlog.Source{
		ID:   id,
		Name: request.String(),
		Resolve: func(ctx context.Context) (broker.Endpoint, error) {
			return r.resolver.Endpoint(ctx, namespace, spec)
		},
	})
	r.useNewestStatus(&config)
	return ctrl.Result{}, r.writeStatus(ctx, &config, r.backlog.Health(id))
}
