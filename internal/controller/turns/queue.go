package turns

import (
	"maps"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Limits say how many reconciliations may be under way at once.
type Limits struct {
	// Namespace bounds those of one namespace.
	Namespace int
	// Slow bounds those of one namespace that are known to be slow, AllSlow those of all namespaces. What remains up to
	// the number of the controller's workers is for those that are quick.
	Slow, AllSlow int
	// SlowAfter is how long a reconciliation takes that is slow. The object is known for it for SlowFor.
	SlowAfter, SlowFor time.Duration
}

// Queue hands out objects to be reconciled. Each is in it once, and is handed out to one worker at a time.
type Queue struct {
	limits Limits
	clock  clock.PassiveClock

	mu      sync.Mutex
	changed *sync.Cond
	// quick and slow have those that wait.
	quick, slow *line
	// dirty are those that wait, and those that were added while they were under way.
	dirty map[reconcile.Request]struct{}
	// underWay are those that were handed out.
	underWay map[reconcile.Request]turn
	// all and ofSlow count those that are under way, by namespace; allSlow counts the slow ones of all.
	all, ofSlow map[string]int
	allSlow     int
	// slowUntil has the objects that are known to be slow.
	slowUntil map[reconcile.Request]time.Time
	closed    bool
}

// turn is one reconciliation that is under way.
type turn struct {
	began time.Time
	slow  bool
}

// New returns a Queue without objects.
func New(limits Limits, clk clock.PassiveClock) *Queue {
	q := &Queue{
		limits: limits, clock: clk, quick: newLine(), slow: newLine(),
		dirty: map[reconcile.Request]struct{}{}, underWay: map[reconcile.Request]turn{},
		all: map[string]int{}, ofSlow: map[string]int{}, slowUntil: map[reconcile.Request]time.Time{},
	}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// RateLimited is a constructor of the queue as controller-runtime wants it, with delays and with pauses after failures.
func RateLimited(limits Limits, clk clock.WithTicker) func(string, workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	return func(_ string, pauses workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
		delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{
			Clock: clk, Queue: New(limits, clk),
		})
		return workqueue.NewTypedRateLimitingQueueWithConfig(pauses, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{
			Clock: clk, DelayingQueue: delaying,
		})
	}
}

// Add puts an object into the queue.
func (q *Queue) Add(r reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.dirty[r]; known || q.closed {
		return
	}
	q.dirty[r] = struct{}{}
	if _, under := q.underWay[r]; !under {
		q.push(r)
	}
}

// push has an object wait. At most one more may be handed out for it.
func (q *Queue) push(r reconcile.Request) {
	if until, slow := q.slowUntil[r]; slow && q.clock.Now().Before(until) {
		q.slow.push(r)
	} else {
		delete(q.slowUntil, r)
		q.quick.push(r)
	}
	q.changed.Signal()
}

// Len counts those that wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.quick.len() + q.slow.len()
}

// Get waits for an object whose turn it is. It returns true once the queue is shut down and empty.
func (q *Queue) Get() (r reconcile.Request, shutdown bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if r, slow, found := q.next(); found {
			q.begin(r, slow)
			if q.quick.len()+q.slow.len() > 0 { // what was just done may have made room for more than this one
				q.changed.Signal()
			}
			return r, false
		}
		if q.closed {
			return reconcile.Request{}, true
		}
		q.changed.Wait()
	}
}

// next takes the object whose turn it is. The quick ones come first: they are over at once.
func (q *Queue) next() (r reconcile.Request, slow, found bool) {
	mayBegin := func(namespace string) bool { return q.closed || q.all[namespace] < q.limits.Namespace }
	if r, found := q.quick.pop(mayBegin); found {
		return r, false, true
	}
	if q.allSlow >= q.limits.AllSlow && !q.closed {
		return r, true, false
	}
	r, found = q.slow.pop(func(namespace string) bool {
		return mayBegin(namespace) && (q.closed || q.ofSlow[namespace] < q.limits.Slow)
	})
	return r, true, found
}

func (q *Queue) begin(r reconcile.Request, slow bool) {
	delete(q.dirty, r)
	q.underWay[r] = turn{began: q.clock.Now(), slow: slow}
	q.all[r.Namespace]++
	if slow {
		q.ofSlow[r.Namespace]++
		q.allSlow++
	}
}

// Done says that an object was reconciled.
func (q *Queue) Done(r reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t, under := q.underWay[r]
	if !under {
		return
	}
	delete(q.underWay, r)
	decrease(q.all, r.Namespace)
	if t.slow {
		decrease(q.ofSlow, r.Namespace)
		q.allSlow--
	}
	q.note(r, t)
	if _, again := q.dirty[r]; again {
		q.push(r)
	}
	q.changed.Signal() // there is room for another
	if q.closed {
		q.changed.Broadcast()
	}
}

// note remembers an object whose reconciliation was slow. One that was quick since still counts as slow for a while: a fleet
// whose pods are slow to create has quick rounds in between.
func (q *Queue) note(r reconcile.Request, t turn) {
	now := q.clock.Now()
	if now.Sub(t.began) < q.limits.SlowAfter {
		return
	}
	maps.DeleteFunc(q.slowUntil, func(_ reconcile.Request, until time.Time) bool { return !now.Before(until) })
	q.slowUntil[r] = now.Add(q.limits.SlowFor)
}

func decrease(counts map[string]int, namespace string) {
	if counts[namespace]--; counts[namespace] == 0 {
		delete(counts, namespace)
	}
}

// ShutDown hands out what waits, and takes no more.
func (q *Queue) ShutDown() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}

// ShutDownWithDrain shuts down, and waits until what was handed out is done.
func (q *Queue) ShutDownWithDrain() {
	q.ShutDown()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.underWay) > 0 || q.quick.len()+q.slow.len() > 0 {
		q.changed.Wait()
	}
}

// ShuttingDown reports whether the queue is shut down.
func (q *Queue) ShuttingDown() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
