package qworker

import (
	"cmp"
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	rightsizing "github.com/quickube/qscaler/internal/controller/qworker/sizing"
	"github.com/quickube/qscaler/internal/controller/requests"
	"github.com/quickube/qscaler/internal/controller/turns"
	"github.com/quickube/qscaler/internal/fleet"
	"github.com/quickube/qscaler/internal/ownwrites"
	"github.com/quickube/qscaler/internal/podconfig"
	"github.com/quickube/qscaler/internal/podmetrics"
	"github.com/quickube/qscaler/internal/recovery"
	"github.com/quickube/qscaler/internal/revision"
)

// Reconciler reconciles QWorkers.
type Reconciler struct {
	client  client.Client
	live    client.Reader
	fleets  *fleet.Fleets
	history *revision.History
	// qworkers has the QWorkers as this process last wrote them.
	qworkers *ownwrites.Overlay[types.UID, *v1alpha1.QWorker]
	resolver *connection.Resolver
	claim    func(ctx context.Context, namespace string) (broker.Claim, error)
	backlog  *backlog.Backlog
	recorder events.EventRecorder
	clock    clock.Clock
	metrics  *metrics
	usage    *podmetrics.Watcher
	configs  *podconfig.Watcher
	// key makes the fingerprints of what configs reads.
	key   connection.FingerprintKey
	sizer *rightsizing.Sizer
	// operator is the name under which this operator writes.
	operator string

	// watchesNodes is true where the operator may read nodes.
	watchesNodes bool
	// heardSince is Options.HeardSince, and never nil.
	heardSince func() time.Time
	// queueStatusInterval bounds how often the queue's figures alone are written.
	queueStatusInterval time.Duration

	cacheSync *fleet.CacheSync
	syncs     *backoff.Attempts[string]
	trials    *backoff.Attempts[string]
	memories  memories
	// deadTasks reclaims the tasks of dead workers.
	deadTasks *recovery.Recovery
	presences presencePace
	requests  requests.Queue
}

// defaultQueueStatusInterval is the default of Options.QueueStatusInterval.
const defaultQueueStatusInterval = 10 * time.Second

// Options is what a Reconciler works with.
type Options struct {
	// Client reads from the cache and writes to the API server; Live reads from the API server.
	Client   client.Client
	Live     client.Reader
	Resolver *connection.Resolver
	// Claim is the one under which the tasks of a namespace's workers are returned.
	Claim    func(ctx context.Context, namespace string) (broker.Claim, error)
	Backlog  *backlog.Backlog
	Recorder events.EventRecorder
	Clock    clock.Clock
	Metrics  Registerer
	// Read lists what pods use, every UsageInterval; 0 is podmetrics.DefaultInterval.
	Read          podmetrics.Read
	UsageInterval time.Duration
	Discovery     discovery.ServerResourcesInterface
	// Key makes the fingerprints of Secrets and ConfigMaps, which are read every ConfigInterval; 0 is podconfig.Interval. Of
	// Secrets only those with SecretLabel are read where it is not "".
	Key            connection.FingerprintKey
	ConfigInterval time.Duration
	SecretLabel    string
	// QueueStatusInterval bounds how often a status is written for nothing but the queue's figures; 0 is 10 s.
	QueueStatusInterval time.Duration
	// Operator is the name under which this operator writes. It begins with OperatorPrefix.
	Operator string
	// Namespaces are those that the cache has; none means all.
	Namespaces []string
	// WatchNodes is true where the operator may read nodes. Without, a node that is to go is not seen.
	WatchNodes bool
	// HeardSince is since when the API server has told of pods without a failure: zero for always, and now while it does not.
	// Nil is always.
	HeardSince func() time.Time
}

// New returns a Reconciler.
func New(o Options) *Reconciler {
	r := &Reconciler{
		client:       o.Client,
		live:         o.Live,
		fleets:       fleet.New(o.Client, o.Live, o.Clock),
		history:      revision.NewHistory(o.Client, o.Live, o.Clock),
		qworkers:     ownwrites.New[types.UID, *v1alpha1.QWorker](),
		resolver:     o.Resolver,
		claim:        o.Claim,
		backlog:      o.Backlog,
		recorder:     o.Recorder,
		clock:        o.Clock,
		operator:     o.Operator,
		key:          o.Key,
		metrics:      newMetrics(o.Metrics),
		cacheSync:    fleet.NewCacheSync(o.Client, o.Live, o.Namespaces),
		syncs:        newSyncs(),
		trials:       newTrials(),
		watchesNodes: o.WatchNodes,
		heardSince:   o.HeardSince,

		queueStatusInterval: cmp.Or(o.QueueStatusInterval, defaultQueueStatusInterval),

		memories: memories{m: map[types.NamespacedName]*memory{}},
	}
	if r.heardSince == nil {
		r.heardSince = func() time.Time { return time.Time{} }
	}
	r.usage = podmetrics.New(podmetrics.Options{
		Read: o.Read, Clock: clock.RealClock{}, Interval: o.UsageInterval, Notify: r.requests.Add,
	})
	r.configs = podconfig.New(podconfig.Options{
		Read:  podconfig.API{Live: o.Live, Fingerprint: o.Key.OfData, Label: o.SecretLabel}.Read,
		Clock: clock.RealClock{}, Interval: o.ConfigInterval, Notify: r.requests.Add,
	})
	r.sizer = rightsizing.New(rightsizing.Options{
		Client: r.client, Usage: r.usage, Pods: r.fleets, Cluster: fleet.NewResizable(o.Discovery), Metrics: o.Metrics,
	})
	r.deadTasks = r.newRecovery()
	r.resolver.OnPasswordChange(r.wakeUsersOf)
	return r
}

const (
	// parallelReconciles is how many QWorkers are reconciled at once, namespaceReconciles how many of one namespace. Their
	// time goes into waiting for the API server.
	parallelReconciles  = 256
	namespaceReconciles = 16
	// retryBase and retryMax bound the back-off after a failed reconciliation. It is short: what mostly fails is the
	// API server as a whole, and once that is back every fleet is to go on at once.
	retryBase = 100 * time.Millisecond
	retryMax  = 5 * time.Second
)

// shares are what a namespace may have of the reconciliations, and those that are slow together: as fleets whose pods pass
// a slow admission webhook. Half of the reconciliations are always left to those that are quick.
func shares() turns.Limits {
	return turns.Limits{
		Namespace: namespaceReconciles, Slow: namespaceReconciles / 2, AllSlow: parallelReconciles / 2,
		SlowAfter: time.Second, SlowFor: time.Minute,
	}
}
