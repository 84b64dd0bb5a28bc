package recovery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

const (
	// callTimeout bounds one call to a broker or to the API server.
	callTimeout = 5 * time.Second
	// gathering is how long results are gathered before those are woken whom they matter to: workers often die
	// together, and one round deals with many.
	gathering = 2 * time.Millisecond
)

// Brokers is what is asked of brokers; the backlog answers it.
type Brokers interface {
	// Last returns the newest reading of a watched queue.
	Last(key backlog.Key) backlog.Reading
	// Claim makes sure that no other operator returns the same tasks at a broker, by the ID of its source. The error is
	// backlog.ErrClaimPending while the one before this may, and errors.ErrUnsupported where the broker keeps no tasks by
	// worker.
	Claim(ctx context.Context, source string) error
	// Reclaim returns what a worker holds of a watched queue. The error is errors.ErrUnsupported where the broker keeps
	// no tasks by worker.
	Reclaim(ctx context.Context, key backlog.Key, worker string) (moved int64, err error)
	// Server says what is seen of a broker's server, by the ID of its source.
	Server(source string) backlog.Server
	// Held counts what workers hold of a watched queue, in their order.
	Held(ctx context.Context, key backlog.Key, workers []string) ([]int64, error)
	// Holders finds every worker that holds tasks of any queue of a broker, by the ID of its source. It ends in a while by
	// itself, or with the connection.
	Holders(ctx context.Context, source string) ([]broker.Holder, error)
	// NoteUnserved takes in what the last search has found of queues that nobody serves, by the ID of a broker's source.
	NoteUnserved(source string, unserved backlog.Unserved)
}

// Options is what a Recovery works with.
type Options struct {
	Brokers Brokers
	// Presence asks the API server itself, and not a cache, about the pod of a fleet's worker.
	Presence func(ctx context.Context, fleet Fleet, worker string) (Presence, error)
	// Names tells by its name whose a worker is.
	Names Names
	// Notify is called with a fleet whose snapshot has changed in a way that matters to its reconciler. It must not block.
	Notify func(Fleet)
	Clock  clock.Clock
}

// Recovery returns the tasks of dead workers. Its methods may be called from several goroutines, before Start too;
// none of them waits for a broker or for the API server.
type Recovery struct {
	options Options
	// recheck has Start look again; what for stands in the core.
	recheck chan struct{}

	mu   sync.Mutex
	core *core
	// until is when Start looks again by itself, zero for never.
	until time.Time
}

// New returns a Recovery that does nothing before Start.
func New(o Options) *Recovery {
	return &Recovery{options: o, recheck: make(chan struct{}, 1), core: newCore(o.Brokers.Last, o.Brokers.Server, o.Names)}
}

// Observe takes in what a reconciler sees of a fleet, and returns what is known of its dead workers.
func (r *Recovery) Observe(fleet Fleet, o Observation) Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.core.observe(fleet, o)
	at := r.recheckAt(o.Now)
	if !at.IsZero() && (r.until.IsZero() || at.Before(r.until)) {
		r.lookAgain()
	}
	return s
}

// Note adds workers whose pods have come to be since the last observation: that they vanish before the next one is not
// to be missed.
func (r *Recovery) Note(fleet Fleet, workers []Worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.core.note(fleet, workers)
}

// Forget drops a fleet that is gone.
func (r *Recovery) Forget(fleet Fleet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.core.forget(fleet)
}

// NeedLeaderElection is manager.LeaderElectionRunnable's: only the leader returns tasks.
func (r *Recovery) NeedLeaderElection() bool { return true }

// Start does what is to be done until ctx is done, and returns once every call has ended.
func (r *Recovery) Start(ctx context.Context) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	for ctx.Err() == nil {
		next := r.next()
		for _, fleet := range next.woken {
			r.options.Notify(fleet)
		}
		for source, unserved := range next.unserved {
			r.options.Brokers.NoteUnserved(source, unserved)
		}
		for _, w := range next.todo {
			calls.Go(func() { r.do(ctx, w) })
		}
		r.wait(ctx, next.until)
	}
	return nil
}

// agenda is what there is for Start at one moment, and when it is to look again.
type agenda struct {
	todo     []work
	woken    []Fleet
	unserved map[string]backlog.Unserved
	until    time.Time
}

func (r *Recovery) next() agenda {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.options.Clock.Now()
	a := agenda{todo: r.core.next(now), woken: r.core.takeWoken(now), unserved: r.core.takeUnserved(now)}
	r.until = r.recheckAt(now)
	a.until = r.until
	return a
}

// recheckAt is when there is something to do by the passing of time, zero for never.
func (r *Recovery) recheckAt(now time.Time) time.Time {
	return earlier(r.core.recheckAt(now), r.core.tellUnservedAt())
}

// lookAgain has Start look for work at once.
func (r *Recovery) lookAgain() {
	select {
	case r.recheck <- struct{}{}:
	default:
	}
}

// wait returns when there may be something to do: when that time has come, zero being never, or a moment after lookAgain.
func (r *Recovery) wait(ctx context.Context, until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := r.options.Clock.NewTimer(until.Sub(r.options.Clock.Now()))
		defer timer.Stop()
		due = timer.C()
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-r.recheck:
		gathered := r.options.Clock.NewTimer(gathering)
		defer gathered.Stop()
		select {
		case <-ctx.Done():
		case <-gathered.C():
		}
	}
}

// do does one work, and tells the core what came of it.
func (r *Recovery) do(ctx context.Context, w work) {
	var res result
	switch {
	case w.search != nil:
		res = r.search(ctx, w)
	case w.count != nil:
		res = r.count(ctx, w)
	default:
		res = r.reclaim(ctx, w)
	}
	if ctx.Err() != nil {
		return // the process ends, and that is no answer
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.core.done(w, res, r.options.Clock.Now())
	r.lookAgain()
}

func (r *Recovery) search(ctx context.Context, w work) result {
	holders, err := r.options.Brokers.Holders(ctx, w.pace.id)
	return result{holders: holders, err: err}
}

func (r *Recovery) count(ctx context.Context, w work) result {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	counts, err := r.options.Brokers.Held(ctx, w.key, w.count.workers)
	return result{counts: counts, err: err}
}

func (r *Recovery) reclaim(ctx context.Context, w work) result {
	if err := r.options.Brokers.Claim(ctx, w.pace.id); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return result{unclaimed: err}
	}
	if w.confirm {
		presence, err := r.presence(ctx, w)
		if err != nil || presence != Absent {
			return result{unasked: err, presence: presence}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	moved, err := r.options.Brokers.Reclaim(ctx, w.key, w.worker)
	if errors.Is(err, errors.ErrUnsupported) {
		return result{}
	}
	if err != nil {
		return result{moved: moved, err: fmt.Errorf("returning the tasks of pod %s to the queue, %w", w.worker, err)}
	}
	return result{moved: moved}
}

func (r *Recovery) presence(ctx context.Context, w work) (Presence, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return r.options.Presence(ctx, w.fleet, w.worker)
}
