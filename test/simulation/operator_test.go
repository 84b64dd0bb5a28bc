package simulation

import (
	"context"
	"sync"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/controller/qworker"
)

// operator is one process of the operator.
type operator struct {
	reconciler *qworker.Reconciler
	view       *view
	faults     *faults
	// due is when the QWorker is to be reconciled for the passing of time, zero for never.
	due time.Time
	// rounds counts the reconciliations; longest is how long one has taken at the most.
	rounds  int
	longest time.Duration
	// failures in a row.
	failures int
	woken    chan struct{}
	stop     func()
}

// startOperator starts a process that knows nothing but what its cache and the broker say.
func (w *world) startOperator(v *view) {
	w.view = v
	o := &operator{view: w.view, faults: w.faults, woken: make(chan struct{}, 1)}
	cached := &operatorClient{reader: w.view.reader(), faults: w.faults, server: w.server, watch: w.watch}
	direct := live{reader: reader{get: w.server.get, list: w.server.list}, faults: w.faults}
	queues := backlog.New(backlog.Options{
		Notify: func(key backlog.Key) { o.reconciler.Notify(key) },
		// No whole milliseconds, so that a read and a retry never fall on one instant; see openTook.
		Jitter:      func(d time.Duration) time.Duration { return d + d/997 },
		BatchWindow: 10_007 * time.Microsecond,
		Clock:       lateClock{late: 503 * time.Nanosecond},
	})
	o.reconciler = qworker.New(qworker.Options{
		Client: cached, Live: direct, Resolver: connection.NewResolver(broker.Kinds{w.queues.kind()}, cached, direct), Backlog: queues,
		Claim:    func(context.Context, string) (broker.Claim, error) { return broker.Claim{Process: "operator"}, nil },
		Recorder: &events.FakeRecorder{}, Clock: lateClock{late: 509 * time.Nanosecond}, Metrics: prometheus.NewRegistry(), WatchNodes: true,
		HeardSince: w.faults.heardSince,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- queues.Start(ctx) }()
	go func() { ended <- o.reconciler.Recovery().Start(ctx) }()
	o.stop = sync.OnceFunc(func() {
		cancel()
		for range cap(ended) {
			if err := <-ended; err != nil {
				panic(err) // it only ends when it is told to
			}
		}
	})
	if err := o.reconciler.Source().Start(ctx, wakes{woken: o.woken, waiting: w.others}); err != nil {
		panic(err) // it has none
	}
	o.wake()
	w.operator = o
	synctest.Wait() // it has read the queue, if that can be read
}

// lateClock has what waits for a moment go on after all else that happens at it: what is read then does not depend
// on which goroutine is quicker.
type lateClock struct {
	clock.RealClock
	late time.Duration
}

func (c lateClock) NewTimer(d time.Duration) clock.Timer { return c.RealClock.NewTimer(d + c.late) }

// wakes is the controller's queue of one object.
type wakes struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request] // nil: the operator only adds
	woken                                                   chan struct{}
	// waiting is how many others wait for their turn.
	waiting func() int
}

func (q wakes) Len() int { return q.waiting() }

// others is how many QWorkers there are beside this one that wait for their turn: none, or a storm of them.
func (w *world) others() int {
	const storm = 1000
	if w.oneIn(4) {
		return storm
	}
	return 0
}

func (q wakes) Add(reconcile.Request) {
	select {
	case q.woken <- struct{}{}:
	default:
	}
}

func (o *operator) wake() { wakes{woken: o.woken}.Add(reconcile.Request{}) }

// run lets the operator do whatever it is woken for until a time, or until it crashes.
func (o *operator) run(until time.Time, before, after func()) {
	for {
		next := until
		if !o.due.IsZero() && o.due.Before(until) {
			next = o.due
		}
		timer := time.NewTimer(time.Until(next))
		woken := false
		select {
		case <-o.woken:
			woken = true
		case <-timer.C:
		}
		timer.Stop()
		synctest.Wait() // whatever else happens at this instant has happened
		if !o.due.IsZero() && !o.due.After(time.Now()) {
			o.due, woken = time.Time{}, true
		}
		select {
		case <-o.woken:
			woken = true
		default:
		}
		if !woken {
			return
		}
		before()
		began := time.Now()
		result, err := o.reconciler.Reconcile(context.Background(), ctrl.Request{NamespacedName: fleetName})
		o.rounds, o.longest = o.rounds+1, max(o.longest, time.Since(began))
		after()
		if o.faults.isCrashed() {
			return
		}
		o.plan(result, err)
	}
}

// plan is what controller-runtime does with a result. What is to come earlier stays.
func (o *operator) plan(result ctrl.Result, err error) {
	const base, most = 100 * time.Millisecond, 5 * time.Second
	delay := result.RequeueAfter
	switch {
	case err != nil:
		delay = min(base<<min(o.failures, 20), most)
		o.failures++
	default:
		o.failures = 0
	}
	if delay <= 0 {
		return
	}
	delay += 53 * time.Microsecond // no whole milliseconds here either
	if at := time.Now().Add(delay); o.due.IsZero() || at.Before(o.due) {
		o.due = at
	}
}

var fleetName = types.NamespacedName{Namespace: "default", Name: "fleet"}
