// Package operator puts the operator together: the manager, its cache, the backlog, and the controllers.
//
// It is what cmd/qscaler runs in a cluster and local mode runs beside its own control plane. It decides
// nothing.
package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/apicalls"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker/kinds"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/controller/qworker"
	"github.com/quickube/qscaler/internal/controller/scalerconfig"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/logs"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/revision"
	"github.com/quickube/qscaler/internal/rights"
)

// Options is how the operator runs.
type Options struct {
	Config *rest.Config
	Log    logr.Logger
	// Namespaces limits what is watched; none means all.
	Namespaces []string
	// MetricsAddress and ProbeAddress are host:port; "0" serves nothing.
	MetricsAddress string
	ProbeAddress   string
	// OpenMetrics serves the metrics over plain HTTP to everybody. Otherwise they are served over TLS to those whom the API
	// server knows and lets get the path /metrics.
	OpenMetrics bool
	// MetricsCertDir has tls.crt and tls.key of the metrics; "" makes a self-signed certificate.
	MetricsCertDir string
	// Limits is what ScalerConfigs may have the operator do.
	Limits connection.Limits
	// PprofAddress is host:port of Go's profiles; "" or "0" serves none.
	PprofAddress string
	// LeaderElection makes all but one of several replicas wait.
	LeaderElection bool
	// LeaderElectionNamespace is where the lease is, and the key of the fingerprints of passwords; "" means the operator's own
	// namespace.
	LeaderElectionNamespace string
	// SkipNameValidation lets several operators run in one process, as tests do.
	SkipNameValidation bool
	// Registerer gets the metrics; nil is controller-runtime's registry.
	Registerer prometheus.Registerer
	// PollInterval is how often a broker that does not tell of changes is read; 0 is what suits its kind.
	PollInterval time.Duration
	// SafetyInterval is how often a broker that tells of changes is read too; 0 is what suits its kind.
	SafetyInterval time.Duration
	// UsageInterval is how often the usage of pods is read, where a QWorker asks for it; 0 is a minute.
	UsageInterval time.Duration
	// ConfigInterval is how often a Secret or ConfigMap is read whose changes a QWorker follows; 0 is a minute.
	ConfigInterval time.Duration
	// QueueStatusInterval bounds how often a status is written for nothing but its queue's figures; 0 is 10 s.
	QueueStatusInterval time.Duration
}

// callTimeout is how long a call may take. An admission webhook may take 30 s.
const callTimeout = 45 * time.Second

// slowWrites bounds the writes of namespaces whose writes are slow. The API server serves about 250 requests of all
// service accounts at once, unless it is configured otherwise.
func slowWrites() apicalls.Limits {
	return apicalls.Limits{Namespace: 16, All: 64, After: time.Second, For: time.Minute, Wait: callTimeout}
}

// failedReads is the pause of reads that fail. It stays short: once the API server is back, every fleet is to go on.
var failedReads = apicalls.Pause{First: 100 * time.Millisecond, Longest: 5 * time.Second}

// mayWait reports whether a read may wait: not within a reconciliation. That is tried again by itself, after a pause that
// grows, and others have its place meanwhile.
func mayWait(ctx context.Context) bool { return controller.ReconcileIDFromContext(ctx) == "" }

// NewScheme has the kinds that the operator reads and writes.
func NewScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // two kinds of one name: a defect of the program
		}
	}
	return scheme
}

func newManager(o Options, namespaces *rights.Namespaces, hearing *apicalls.Hearing) (ctrl.Manager, error) {
	config := rest.CopyConfig(o.Config)
	// The API server's priority and fairness decides how fast a client may be; a limit of the client's own
	// would only delay a burst.
	config.QPS = -1
	config.WarningHandlerWithContext = &logs.Answers{}
	name, err := nameOf(o)
	if err != nil {
		return nil, err
	}
	config.UserAgent = name // of which the API server makes the manager of the fields that are written
	lock, err := lockOf(config, o)
	if err != nil {
		return nil, err
	}
	config.Wrap(hearing.Around)
	config.Wrap(apicalls.WithDeadline(callTimeout))
	config.Wrap(apicalls.NewLanes(slowWrites(), clock.RealClock{}).Around) // outside: who waits has not begun
	config.Wrap(apicalls.NewPace(failedReads, clock.RealClock{}, mayWait).Around)
	config.Wrap(apicalls.WithoutRetries)

	cached, err := cacheOptions(o, namespaces)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:                        NewScheme(),
		Logger:                        logs.Chatter(o.Log),
		Cache:                         cached,
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &eventsv1.Event{}}}},
		Metrics:                       metricsOptions(o),
		PprofBindAddress:              o.PprofAddress,
		LeaderElection:                o.LeaderElection,
		LeaderElectionReleaseOnCancel: true,

		LeaderElectionResourceLockInterface: lock,

		LeaseDuration: ptr.To(leaseDuration),
		RenewDeadline: ptr.To(renewDeadline),
		RetryPeriod:   ptr.To(retryPeriod),
		Controller: ctrlconfig.Controller{
			SkipNameValidation: &o.SkipNameValidation,
			CacheSyncTimeout:   cacheSyncTimeout, // the cache is waited for as long as it takes
		},
	})
}

// cacheOptions is what the cache holds: of pods and revisions only the operator's own, and of each object only what
// the operator reads.
func cacheOptions(o Options, namespaces *rights.Namespaces) (cache.Options, error) {
	ours, err := labels.NewRequirement(fleet.Selector, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, err
	}
	selector := labels.NewSelector().Add(*ours)
	options := cache.Options{
		NewInformer: rights.NewInformer(clock.RealClock{}),
		DefaultWatchErrorHandler: func(ctx context.Context, r *toolscache.Reflector, err error) {
			toolscache.DefaultWatchErrorHandler(ctx, r, err)
			if apierrors.IsForbidden(err) {
				namespaces.Doubt()
			}
		},
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                {Label: selector, Transform: fleet.Strip},
			&appsv1.ControllerRevision{}: {Label: selector, Transform: revision.Strip},
			&corev1.Node{}:               {Transform: fleet.StripNode},
			&v1alpha1.QWorker{}:          {Transform: qworker.Strip},
		},
	}
	for _, namespace := range o.Namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options, nil
}

// lockOf is the lease that the leader holds, nil without leader election. From then on the config writes only while
// it is held.
func lockOf(config *rest.Config, o Options) (resourcelock.Interface, error) {
	if !o.LeaderElection {
		return nil, nil
	}
	f := &fence{clock: clock.RealClock{}}
	lock, err := newLock(rest.CopyConfig(config), o, f)
	if err != nil {
		return nil, err
	}
	config.Wrap(f.around)
	return lock, nil
}

// cacheSyncTimeout is longer than any process lives.
const cacheSyncTimeout = 10 * 365 * 24 * time.Hour

func addControllers(mgr ctrl.Manager, o Options, hearing *apicalls.Hearing, watchNodes bool, key connection.FingerprintKey) error {
	resolver := connection.NewResolver(kinds.All(), mgr.GetClient(), mgr.GetAPIReader()).Within(o.Limits).WithKey(key)
	name, err := nameOf(o)
	if err != nil {
		return err
	}
	claims, err := newClaims(mgr, o)
	if err != nil {
		return err
	}
	api, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client of the API server's discovery, %w", err)
	}
	var (
		workers *qworker.Reconciler
		configs *scalerconfig.Reconciler
	)
	queues := newBacklog(o, func(key backlog.Key) {
		switch key.Watcher {
		case backlog.QWorker:
			workers.Notify(key)
		case backlog.ScalerConfig:
			configs.Notify(key)
		}
	})
	workers = qworker.New(qworker.Options{
		Client:   mgr.GetClient(),
		Live:     mgr.GetAPIReader(),
		Resolver: resolver,
		Claim:    claims.Of,
		Backlog:  queues,
		Recorder: mgr.GetEventRecorder("qscaler"),
		Clock:    clock.RealClock{},
		Metrics:  o.Registerer,
		Read:     podmetrics.FromAPI(api.RESTClient()), UsageInterval: o.UsageInterval, Discovery: api,
		Key: key, ConfigInterval: o.ConfigInterval, SecretLabel: o.Limits.Label(),
		QueueStatusInterval: o.QueueStatusInterval,
		Operator:            name,
		Namespaces:          o.Namespaces,
		WatchNodes:          watchNodes,
		HeardSince:          hearing.Since,
	})
	configs = scalerconfig.New(scalerconfig.Options{
		Client:   mgr.GetClient(),
		Resolver: resolver,
		Claim:    claims.Of,
		Backlog:  queues,
		Recorder: mgr.GetEventRecorder("qscaler"),
		Clock:    clock.RealClock{},
	})
	if err := mgr.Add(queues); err != nil {
		return err
	}
	if err := workers.SetupWithManager(mgr, o.Log); err != nil {
		return err
	}
	return configs.SetupWithManager(mgr, o.Log)
}

// newBacklog reads the queues, and tells notify which watchers have news.
func newBacklog(o Options, notify func(backlog.Key)) *backlog.Backlog {
	return backlog.New(backlog.Options{
		Notify:         notify,
		PollInterval:   o.PollInterval,
		SafetyInterval: o.SafetyInterval,
		Registerer:     o.Registerer,
	})
}

// newClaims knows which objects another operator holds.
func newClaims(mgr ctrl.Manager, o Options) (*connection.Claims, error) {
	process, err := processName()
	if err != nil {
		return nil, err
	}
	return &connection.Claims{Live: mgr.GetAPIReader(), Process: process, Namespaced: len(o.Namespaces) > 0}, nil
}
