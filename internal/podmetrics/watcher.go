package podmetrics

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

const (
	// DefaultInterval is the time between two lists of a namespace. A metrics-server measures every 15 s, and
	// the Vertical Pod Autoscaler reads every minute.
	DefaultInterval = time.Minute
	// readTimeout bounds one list.
	readTimeout = 20 * time.Second
	// parallelReads is how many namespaces are read at once.
	parallelReads = 8
)

// Snapshot is what one list said.
type Snapshot struct {
	// ReadAt is when the list was last tried, zero for never.
	ReadAt time.Time
	// Pods are those of the last list that succeeded.
	Pods map[string]Pod
	// Err says why the last list failed.
	Err error
}

// Options is what a Watcher works with.
type Options struct {
	Read  Read
	Clock clock.WithTicker
	// Interval is the time between two lists of a namespace; 0 is DefaultInterval.
	Interval time.Duration
	// Notify is called for each object that asked for a namespace, when it was read; never twice at once.
	Notify func(types.NamespacedName)
}

// Watcher lists the pod metrics of the namespaces that are asked for.
type Watcher struct {
	Options
	mu         sync.Mutex
	namespaces map[string]*namespace
	// asked signals the loop that a namespace was asked for that was never read.
	asked chan struct{}
}

type namespace struct {
	askers   map[types.NamespacedName]bool
	snapshot Snapshot
}

// New returns a Watcher. It reads once it is started.
func New(o Options) *Watcher {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	return &Watcher{Options: o, namespaces: map[string]*namespace{}, asked: make(chan struct{}, 1)}
}

// Ask asks for the namespace of an object until Forget, and returns what is known of it. Where nothing is known yet,
// the namespace is read at once, and the object is notified.
func (w *Watcher) Ask(name types.NamespacedName) Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	ns := w.namespaces[name.Namespace]
	if ns == nil {
		ns = &namespace{askers: map[types.NamespacedName]bool{}}
		w.namespaces[name.Namespace] = ns
		select {
		case w.asked <- struct{}{}:
		default:
		}
	}
	ns.askers[name] = true
	return ns.snapshot
}

// Forget ends the request. A namespace without requests is not read any more.
func (w *Watcher) Forget(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ns := w.namespaces[name.Namespace]
	if ns == nil {
		return
	}
	delete(ns.askers, name)
	if len(ns.askers) == 0 {
		delete(w.namespaces, name.Namespace)
	}
}

// Start reads until ctx is done.
func (w *Watcher) Start(ctx context.Context) error {
	tick := w.Clock.NewTicker(w.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.asked:
			w.readAll(ctx, func(ns *namespace) bool { return ns.snapshot.ReadAt.IsZero() })
		case <-tick.C():
			w.readAll(ctx, func(*namespace) bool { return true })
		}
	}
}

func (w *Watcher) readAll(ctx context.Context, due func(*namespace) bool) {
	w.mu.Lock()
	var names []string
	for name, ns := range w.namespaces {
		if due(ns) {
			names = append(names, name)
		}
	}
	w.mu.Unlock()
	var reads errgroup.Group
	reads.SetLimit(parallelReads)
	for _, name := range names {
		reads.Go(func() error {
			w.read(ctx, name)
			return nil
		})
	}
	_ = reads.Wait() // what failed is in the snapshots
	for _, name := range names {
		for _, asker := range w.askers(name) {
			w.Notify(asker)
		}
	}
}

func (w *Watcher) read(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	pods, err := w.Read(ctx, name)
	w.mu.Lock()
	defer w.mu.Unlock()
	ns := w.namespaces[name]
	if ns == nil {
		return
	}
	if err != nil {
		pods = ns.snapshot.Pods
	}
	ns.snapshot = Snapshot{ReadAt: w.Clock.Now(), Pods: pods, Err: err}
}

func (w *Watcher) askers(name string) []types.NamespacedName {
	w.mu.Lock()
	defer w.mu.Unlock()
	ns := w.namespaces[name]
	if ns == nil {
		return nil
	}
	return slices.Collect(maps.Keys(ns.askers))
}
