package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// task is a message, and the seconds that it takes.
type task struct {
	id     int
	length int
}

// queues are brokers with Redis lists: queues, and a list of each worker with what it has taken.
type queues struct {
	mu      sync.Mutex
	waiting map[string][]task
	// returned has the returned tasks, which are taken first. It is sorted: lists are reclaimed in parallel, and the
	// world must not depend on their order.
	returned map[string][]task
	held     map[string]map[string][]task // by queue and worker
	bells    map[string]broker.Doorbell   // by the broker's host
	// rung has the queues that have changed in this second; their rings come at its end, so that what is read does
	// not depend on who is quicker.
	rung map[string]bool
	// down has every command fail, hangs has it never answer.
	down, hangs bool
	// readings counts the readings that were asked for.
	readings int
	// slow is how long a reading takes beside its usual time.
	slow time.Duration
	// keeps has every return of tasks refused.
	keeps bool
	// deaf drops all rings of the doorbell.
	deaf bool
	// shown has the workers that the last reading has at a task.
	shown map[string]bool
	// alive reports whether a worker's process runs: then its tasks must not be reclaimed.
	alive func(worker string) bool
	// reclaimedAlive has the workers whose tasks were reclaimed although they were alive.
	reclaimedAlive []string
	reclaimed      int
}

func newQueues() *queues {
	return &queues{bells: map[string]broker.Doorbell{}, waiting: map[string][]task{}, returned: map[string][]task{}, rung: map[string]bool{}, held: map[string]map[string][]task{}, shown: map[string]bool{}}
}

// on is a queue of the broker of a host. Those of the first broker have their own name.
func on(host, queue string) string {
	if host == firstHost {
		return queue
	}
	return host + "/" + queue
}

// firstHost is the host of the broker that every world has.
const firstHost = "broker"

// of is the queue's own name, where it is one of the host's.
func of(host, key string) (queue string, ok bool) {
	at, name, elsewhere := strings.Cut(key, "/")
	if !elsewhere {
		return key, host == firstHost
	}
	return name, host == at
}

// ring notes a change. The lock is held.
func (q *queues) ring(queue string) { q.rung[queue] = true }

// deliverRings tells of what has changed.
func (q *queues) deliverRings() {
	q.mu.Lock()
	bells, rung := maps.Clone(q.bells), slices.Sorted(maps.Keys(q.rung))
	if q.deaf || q.down || q.hangs {
		rung = nil
	}
	clear(q.rung)
	q.mu.Unlock()
	for _, host := range slices.Sorted(maps.Keys(bells)) {
		var here []string
		for _, key := range rung {
			if name, ok := of(host, key); ok {
				here = append(here, name)
			}
		}
		if len(here) > 0 {
			bells[host](here...)
		}
	}
}

func (q *queues) push(queue string, tasks ...task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[queue] = append(q.waiting[queue], tasks...)
	q.ring(queue)
}

// take moves the oldest message to a worker's list; first comes what the list still has of an earlier process.
func (q *queues) take(queue, worker string) *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down || q.hangs {
		return nil
	}
	if held := q.held[queue][worker]; len(held) > 0 {
		return &task{held[0].id, held[0].length}
	}
	from := q.waiting
	if len(q.returned[queue]) > 0 {
		from = q.returned
	}
	if len(from[queue]) == 0 {
		return nil
	}
	t := from[queue][0]
	from[queue] = from[queue][1:]
	if q.held[queue] == nil {
		q.held[queue] = map[string][]task{}
	}
	q.held[queue][worker] = append(q.held[queue][worker], t)
	q.ring(queue)
	return &t
}

// acknowledge removes a message from the worker's list; false while the broker is away.
func (q *queues) acknowledge(queue, worker string, id int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down || q.hangs {
		return false
	}
	held := slices.DeleteFunc(q.held[queue][worker], func(t task) bool { return t.id == id })
	if q.held[queue][worker] = held; len(held) == 0 {
		delete(q.held[queue], worker)
	}
	q.ring(queue)
	return true
}

// all has every message that the broker has.
func (q *queues) all() []int {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []int
	for _, queue := range slices.Sorted(maps.Keys(q.waiting)) {
		for _, t := range slices.Concat(q.returned[queue], q.waiting[queue]) {
			ids = append(ids, t.id)
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(q.held)) {
		for _, worker := range slices.Sorted(maps.Keys(q.held[queue])) {
			for _, t := range q.held[queue][worker] {
				ids = append(ids, t.id)
			}
		}
	}
	return ids
}

// depth is how many messages of a queue wait, and how many each worker holds.
func (q *queues) depth(queue string) (waiting int, held map[string]int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	held = map[string]int{}
	for worker, tasks := range q.held[queue] {
		held[worker] = len(tasks)
	}
	return len(q.returned[queue]) + len(q.waiting[queue]), held
}

// allHeld is how many messages each worker holds, of whatever queue.
func (q *queues) allHeld() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := map[string]int{}
	for _, held := range q.held {
		for worker, tasks := range held {
			all[worker] += len(tasks)
		}
	}
	return all
}

func (q *queues) setOutage(down, hangs bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.down, q.hangs = down, hangs
}

func (q *queues) setSlow(slow time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.slow = slow
}

// isUnheard reports whether the last reading has a worker at a task, and no doorbell rings.
func (q *queues) isUnheard(worker string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.deaf && q.shown[worker]
}

// hold has a worker hold a message, and nobody is told.
func (q *queues) hold(queue, worker string, t task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held[queue] == nil {
		q.held[queue] = map[string][]task{}
	}
	q.held[queue][worker] = append(q.held[queue][worker], t)
}

var errDown = errors.New("connection refused")

// How long answers take. What is asked for is then never there at once, and no two answers come at one instant:
// what happens must not depend on which goroutine is quicker.
const (
	openTook    = 3041 * time.Microsecond
	depthsTook  = 1013 * time.Microsecond
	reclaimTook = 1517 * time.Microsecond
	holdersTook = 2203 * time.Microsecond
	heldTook    = 1811 * time.Microsecond
)

// ready takes its time, waits as long as the broker hangs, and fails while it is down.
func (q *queues) ready(ctx context.Context, took time.Duration) error {
	<-time.After(took)
	q.mu.Lock()
	down, hangs := q.down, q.hangs
	q.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return fmt.Errorf("no answer, %w", ctx.Err())
	}
	if down {
		return errDown
	}
	return ctx.Err()
}

// dialTimeout bounds a connection, as the real driver does.
const dialTimeout = 5 * time.Second

// kind is that of the broker.
func (q *queues) kind() broker.Kind {
	return broker.Kind{
		Type: "redis", Port: 6379, Open: q.open,
		Parse: func(s broker.Settings) (broker.Config, error) { return config{host: s.Host}, nil },
	}
}

// config is how the broker is reached, which nobody does.
type config struct{ host string }

func (c config) Equal(other broker.Config) bool { return c == other }

func (q *queues) open(ctx context.Context, c broker.Config, bell broker.Doorbell) (broker.Driver, error) {
	host := c.(config).host
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	q.mu.Lock()
	q.bells[host] = bell
	q.mu.Unlock()
	return driver{q, host}, q.ready(ctx, openTook)
}

// driver is one connection.
type driver struct {
	*queues
	host string
}

func (d driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	d.mu.Lock()
	d.readings++
	slow := d.slow
	d.mu.Unlock()
	if err := d.ready(ctx, depthsTook+slow); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	answers := make([]broker.Answer, len(queries))
	for i, query := range queries {
		depth := broker.Depth{
			Waiting:  broker.CountOf(int64(len(d.returned[on(d.host, query.Queue)]) + len(d.waiting[on(d.host, query.Queue)]))),
			InFlight: broker.CountOf(0),
			Held:     map[string]int64{},
		}
		for _, worker := range query.Workers {
			held := int64(len(d.held[on(d.host, query.Queue)][worker.PodName]))
			depth.Held[worker.PodName] = held
			depth.InFlight.N += held
			d.shown[worker.PodName] = held > 0
		}
		answers[i].Depth = depth
	}
	return answers, nil
}

func (d driver) Pushes() (ok bool, why string) { return true, "" }

func (d driver) Close() {}

var errKeeps = &broker.Error{Reason: broker.ReasonPermissionDenied, Message: "the user may not return tasks"}

// Claim is always had: there is one operator at a time.
func (d driver) Claim(_ context.Context, c broker.Claim, _ bool) (broker.Claimant, error) {
	return broker.Claimant{Process: c.Process, Mark: c.Mark}, nil
}

func (d driver) Reclaim(ctx context.Context, _ broker.Claim, queue, worker string) (moved int64, err error) {
	if err := d.ready(ctx, reclaimTook); err != nil {
		return 0, err
	}
	alive := d.alive(worker)
	queue = on(d.host, queue)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keeps {
		return 0, errKeeps
	}
	held := d.held[queue][worker]
	if alive {
		d.reclaimedAlive = append(d.reclaimedAlive, worker)
	}
	d.returned[queue] = slices.SortedFunc(slices.Values(slices.Concat(d.returned[queue], held)), func(a, b task) int { return a.id - b.id })
	delete(d.held[queue], worker)
	d.reclaimed += len(held)
	return int64(len(held)), nil
}

func (d driver) Held(ctx context.Context, queue string, workers []string) ([]int64, error) {
	if err := d.ready(ctx, heldTook); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	held := make([]int64, len(workers))
	for i, worker := range workers {
		held[i] = int64(len(d.held[queue][worker]))
	}
	return held, nil
}

func (d driver) Holders(ctx context.Context) ([]broker.Holder, error) {
	if err := d.ready(ctx, holdersTook); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var holders []broker.Holder
	for key, workers := range d.held {
		queue, here := of(d.host, key)
		if !here {
			continue
		}
		for worker := range workers {
			holders = append(holders, broker.Holder{Queues: []string{queue}, Worker: worker})
		}
	}
	slices.SortFunc(holders, func(a, b broker.Holder) int { return strings.Compare(a.Worker, b.Worker) })
	return holders, nil
}
