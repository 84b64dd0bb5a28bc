package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// cluster reads the queues of a Redis Cluster: each from the master that has its slot. It has one connection to each
// master of which a queue is read. A master that fails takes down its own queues; the driver fails once no connection is
// left.
//
// A master that is none any more, or that has given a slot away, answers no command for it but with who has it. So nothing
// is read from the wrong one.
type cluster struct {
	config Config
	ring   broker.Doorbell
	shared *searches
	// until ends with the driver.
	until context.Context
	stop  context.CancelFunc
	// refreshing is held by who asks for the topology.
	refreshing sync.Mutex

	mu       sync.Mutex
	topology *topology
	nodes    map[member]*node
	// failure is why the driver is to be used no more, nil while it may be.
	failure error
	// mending is true while failed nodes are dialled again.
	mending bool
	tags    tags
}

// mostRounds is how often a queue is looked for in one read: as the topology is known, and as it is then.
const mostRounds = 3

// openCluster asks the server of the configuration who the masters are.
func openCluster(ctx context.Context, c Config, ring broker.Doorbell, shared *searches) (broker.Driver, error) {
	opened, err := openServer(c, nil, ring, shared)
	if err != nil {
		return nil, err
	}
	seed := opened.(server)
	known, err := seed.topology(ctx)
	if err != nil {
		seed.Close()
		return nil, err
	}
	until, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends with the driver
	d := &cluster{
		config: c, ring: ring, shared: shared, until: until, stop: stop,
		topology: known, nodes: map[member]*node{}, tags: tags{},
	}
	if known.self.id != "" {
		d.nodes[known.self] = nodeAt(known.self, seed)
		return d, nil
	}
	seed.Close() // a replica, or a master without slots
	for _, m := range known.masters {
		if _, err = d.reach(ctx, m); err == nil {
			return d, nil
		}
	}
	d.Close()
	if err == nil {
		err = broker.Fail(broker.ReasonClusterDown, at(c), "no node of the cluster has any slots; run redis-cli --cluster create or --cluster fix", nil)
	}
	return nil, err
}

// Depths reads each queue from the master that has its slot, all masters at once. A queue whose slot has moved is looked for
// where it is now.
func (d *cluster) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	if err := d.failed(); err != nil {
		return nil, err
	}
	if len(queries) == 0 {
		return nil, d.answers(ctx)
	}
	r := &clusterRead{d: d, queries: queries, answers: make([]broker.Answer, len(queries))}
	todo := make([]int, 0, len(queries))
	for i, q := range queries {
		if !redislist.InOneSlot(q.Queue) {
			r.answers[i].Err = &broker.Error{Reason: broker.ReasonInvalidQueue, Message: fmt.Sprintf(
				"scaleConfig.queue is %q, whose braces give its keys to different slots of the cluster; use braces for a hash tag only, such as jobs:{eu}", broker.Words(q.Queue, broker.Secret{}))}
			continue
		}
		todo = append(todo, i)
		d.note(q.Queue)
	}
	for round := 1; len(todo) > 0; round++ {
		moved, by := r.round(ctx, todo)
		if by != nil && round < mostRounds {
			d.refresh(ctx, by)
		}
		if todo = moved; round == mostRounds {
			break
		}
	}
	if err := d.failed(); err != nil {
		return nil, err
	}
	return r.answers, nil
}

// clusterRead is one call of Depths.
type clusterRead struct {
	d       *cluster
	queries []broker.Query
	answers []broker.Answer
}

// round reads some of the queries, and returns those whose slot has moved, with a node that said so.
func (r *clusterRead) round(ctx context.Context, todo []int) (moved []int, by *node) {
	parts := map[member][]int{}
	for _, i := range todo {
		m, ok := r.d.masterOf(r.queries[i].Queue)
		if !ok {
			r.answers[i].Err = r.d.nobodyHas(r.queries[i].Queue)
			continue
		}
		parts[m] = append(parts[m], i)
	}
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	for m, part := range parts {
		group.Go(func() {
			n, gone := r.part(ctx, m, part)
			mu.Lock()
			defer mu.Unlock()
			if moved = append(moved, gone...); len(gone) > 0 {
				by = n
			}
		})
	}
	group.Wait()
	slices.Sort(moved)
	return moved, by
}

// part reads the queries of one master.
func (r *clusterRead) part(ctx context.Context, m member, part []int) (n *node, moved []int) {
	queries := make([]broker.Query, len(part))
	for k, i := range part {
		queries[k] = r.queries[i]
	}
	n, err := r.d.reach(ctx, m)
	var answers []broker.Answer
	if err == nil {
		if answers, err = n.server.Depths(ctx, queries); err != nil {
			r.d.lose(n, err)
		}
	}
	for k, i := range part {
		if err != nil {
			r.answers[i] = broker.Answer{Err: err}
			continue
		}
		r.answers[i] = answers[k]
		if says(answers[k].Err, "MOVED") {
			moved = append(moved, i)
		}
	}
	return n, moved
}

// answers makes sure that any node answers.
func (d *cluster) answers(ctx context.Context) error {
	live := d.live()
	if len(live) == 0 { // those that were read have given their slots away
		d.mu.Lock()
		m := d.topology.masters[0]
		d.mu.Unlock()
		n, err := d.reach(ctx, m)
		if err != nil {
			return err
		}
		live = []*node{n}
	}
	var err error
	for _, n := range live {
		if _, err = n.server.Depths(ctx, nil); err == nil {
			return nil
		}
		d.lose(n, err)
	}
	return err
}

func (d *cluster) masterOf(queue string) (member, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.topology.of(redislist.Slot(queue))
}

func (d *cluster) nobodyHas(queue string) error {
	return broker.Fail(broker.ReasonClusterDown, at(d.config), fmt.Sprintf(
		"no node of the cluster has slot %d, which is that of the queue; run redis-cli --cluster check, and --cluster fix", redislist.Slot(queue)), nil)
}

func (d *cluster) failed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failure
}

// on does something with the master that has the slot of a queue, and with the one that has it then, where it has moved.
func (d *cluster) on(ctx context.Context, queue string, do func(server) error) error {
	for round := 1; ; round++ {
		m, ok := d.masterOf(queue)
		if !ok {
			return d.nobodyHas(queue)
		}
		n, err := d.reach(ctx, m)
		if err != nil {
			return err
		}
		if err = do(n.server); !says(err, "MOVED") || round == mostRounds {
			return err
		}
		d.refresh(ctx, n)
	}
}

// Pushes is broker.Pusher's.
func (d *cluster) Pushes() (ok bool, why string) {
	for _, n := range d.live() {
		if ok, why := n.server.Pushes(); !ok {
			return false, why
		}
	}
	return true, ""
}

// Inspect is broker.Inspector's: what any node says that answers.
func (d *cluster) Inspect(ctx context.Context) (risks []broker.Risk, err error) {
	answered := false
	for _, n := range d.live() {
		of, failure := n.server.Inspect(ctx)
		if failure != nil {
			err = failure
			continue
		}
		answered = true
		for _, risk := range of {
			if !slices.Contains(risks, risk) {
				risks = append(risks, risk)
			}
		}
	}
	if answered {
		return risks, nil
	}
	return nil, errors.Join(d.failed(), err)
}

// errClosed is the answer to who reads after Close.
var errClosed = errors.New("the connection is closed")

// Close is broker.Driver's.
func (d *cluster) Close() {
	d.stop()
	d.mu.Lock()
	nodes := d.nodes
	d.nodes, d.failure = map[member]*node{}, errClosed
	d.mu.Unlock()
	for _, n := range nodes {
		if n.isDone() {
			n.close()
		} else {
			go n.close() // it is being connected, which does not hold this up
		}
	}
}

// refreshTimeout is how long a node may take to say who the masters are.
const refreshTimeout = 3 * time.Second

// refresh asks a node who the masters are, and lets go of those that are none any more.
func (d *cluster) refresh(ctx context.Context, n *node) {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	known, err := n.server.topology(ctx)
	if err != nil || len(known.masters) == 0 {
		return // what is known stays, and the next read finds out
	}
	var gone []*node
	d.mu.Lock()
	d.topology = known
	for m, n := range d.nodes {
		if !known.has(m) && n.isOpen() {
			gone = append(gone, n)
			delete(d.nodes, m)
		}
	}
	d.mu.Unlock()
	for _, n := range gone {
		n.close()
	}
}
