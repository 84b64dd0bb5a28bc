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

// queues is a broker with Redis lists: a queue, and a list of each worker with what it has taken.
type queues struct {
	mu      sync.Mutex
	waiting map[string][]task
	// returned has what was given back, and is taken first. It is sorted: lists are given back in parallel, and the
	// world must not depend on their order.
	returned map[string][]task
	held     map[string]map[string][]task // by queue and worker
	bell     broker.Doorbell
	// rung has the queues that have changed in this second; their rings come at its end, so that what is read does
	// not depend on who is quicker.
	rung map[string]bool
	// down has every command fail, hangs has it never answer.
	down, hangs bool
	// deaf swallows the bell's rings.
	deaf bool
	// alive reports whether a worker's process runs, which is then not to be reclaimed from.
	alive func(worker string) bool
	// reclaimedAlive has the workers that were reclaimed from all the same.
	reclaimedAlive []string
	reclaimed      int
}

func newQueues() *queues {
	return &queues{waiting: map[string][]task{}, returned: map[string][]task{}, rung: map[string]bool{}, held: map[string]map[string][]task{}}
}

// ring notes a change. The lock is held.
func (q *queues) ring(queue string) { q.rung[queue] = true }

// deliverRings tells of what has changed.
func (q *queues) deliverRings() {
	q.mu.Lock()
	bell, rung := q.bell, slices.Sorted(maps.Keys(q.rung))
	if q.deaf || q.down || q.hangs {
		rung = nil
	}
	clear(q.rung)
	q.mu.Unlock()
	if bell != nil && len(rung) > 0 {
		bell(rung...)
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

func (q *queues) setOutage(down, hangs bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.down, q.hangs = down, hangs
}

var errDown = errors.New("connection refused")

// ready waits as long as the broker hangs, and fails while it is down.
func (q *queues) ready(ctx context.Context) error {
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

// open is backlog.Options.Open.
func (q *queues) open(ctx context.Context, _ broker.Endpoint, bell broker.Doorbell) (broker.Driver, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	q.mu.Lock()
	q.bell = bell
	q.mu.Unlock()
	return driver{q}, q.ready(ctx)
}

// driver is one connection.
type driver struct{ *queues }

func (d driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	answers := make([]broker.Answer, len(queries))
	for i, query := range queries {
		depth := broker.Depth{Waiting: int64(len(d.returned[query.Queue]) + len(d.waiting[query.Queue])), Held: map[string]int64{}}
		for _, worker := range query.Workers {
			depth.Held[worker] = int64(len(d.held[query.Queue][worker]))
			depth.InFlight += depth.Held[worker]
		}
		answers[i].Depth = depth
	}
	return answers, nil
}

func (d driver) Pushes() (ok bool, why string) { return true, "" }

func (d driver) Close() {}

func (d driver) Reclaim(ctx context.Context, queue, worker string) (moved int64, err error) {
	if err := d.ready(ctx); err != nil {
		return 0, err
	}
	alive := d.alive(worker)
	d.mu.Lock()
	defer d.mu.Unlock()
	held := d.held[queue][worker]
	if alive {
		d.reclaimedAlive = append(d.reclaimedAlive, worker)
	}
	d.returned[queue] = slices.SortedFunc(slices.Values(slices.Concat(d.returned[queue], held)), func(a, b task) int { return a.id - b.id })
	delete(d.held[queue], worker)
	d.reclaimed += len(held)
	return int64(len(held)), nil
}

func (d driver) Holders(ctx context.Context) ([]broker.Holder, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var holders []broker.Holder
	for queue, workers := range d.held {
		for worker := range workers {
			holders = append(holders, broker.Holder{Queues: []string{queue}, Worker: worker})
		}
	}
	slices.SortFunc(holders, func(a, b broker.Holder) int { return strings.Compare(a.Worker, b.Worker) })
	return holders, nil
}
