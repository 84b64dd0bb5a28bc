package rabbitmq

import (
	"context"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// replyTimeout bounds a read whose caller sets no deadline: a server that hangs closes nothing.
const replyTimeout = 10 * time.Second

// driver reads depths over one connection of AMQP, and one of HTTP where the management API is to be asked. A read that
// fails ends both.
type driver struct {
	config Config
	link   *link
	// management is nil where the management API is not to be asked.
	management *management
	// tags are what the user may do there.
	tags []string
	// turn is held by whoever reads depths, and guards all that follows.
	turn chan struct{}
	// broken is why nobody can read depths any more.
	broken   error
	asked    *asked
	snapshot *snapshot
	memory   memory
	// closed ends with the driver.
	closed context.Context
	end    context.CancelFunc
}

// Open connects to a RabbitMQ server. It never rings: the server tells of no changes.
func Open(ctx context.Context, c Config, _ broker.Doorbell) (broker.Driver, error) {
	l, err := dial(ctx, c)
	if err != nil {
		return nil, err
	}
	d := &driver{config: c, link: l, turn: make(chan struct{}, 1), asked: newAsked(), memory: memory{}}
	d.closed, d.end = context.WithCancel(context.WithoutCancel(ctx))
	if c.Management == "" {
		return d, nil
	}
	d.management = newManagement(c)
	if d.tags, err = d.management.whoami(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close ends the connections, and with them the reads that are under way.
func (d *driver) Close() {
	d.end()
	d.link.part()
	if d.management != nil {
		d.management.close()
	}
}

// Depths asks the management API for all queues at once, and then each queue that is there.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	defer context.AfterFunc(d.closed, cancel)()
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, d.config.classify(ctx.Err(), true)
	}
	if d.broken != nil {
		return nil, d.broken
	}
	answers, err := d.depths(ctx, queries)
	if err != nil {
		d.broken = err
		d.link.cut()
		return nil, err
	}
	return answers, nil
}

func (d *driver) depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	// The statistics come first: what moves between the two is then counted by one of them, or by both.
	s, err := d.current(ctx, queries)
	if err != nil {
		return nil, err
	}
	answers := make([]broker.Answer, len(queries))
	var names []string
	var asked []int
	for i, q := range queries {
		err := checkQueue(q.Queue)
		if err == nil {
			err = broker.NoGroup(q, "a queue of RabbitMQ")
		}
		if answers[i].Err = err; err != nil {
			continue
		}
		if _, exists := s.totalsOf(q.Queue); exists {
			names, asked = append(names, q.Queue), append(asked, i)
			continue
		}
		delete(d.memory, q.Queue)
		answers[i].Depth = s.empty(q)
	}
	if len(names) == 0 {
		return answers, d.link.ask(ctx)
	}
	at := time.Now()
	found, err := d.link.declare(ctx, names)
	if err != nil {
		return nil, err
	}
	for n, i := range asked {
		if answers[i].Err = found[n].err; answers[i].Err == nil {
			answers[i].Depth = d.depth(s, queries[i], found[n].ready, at)
		}
	}
	return answers, nil
}

// current is the newest snapshot, nil where the management API is not to be asked. One that is young enough is used again,
// unless it lacks the workers or a queue. A worker that it was not asked for is one that it says nothing of.
func (d *driver) current(ctx context.Context, queries []broker.Query) (*snapshot, error) {
	if d.management == nil {
		return nil, nil
	}
	withWorkers := seesAll(d.tags) && slices.ContainsFunc(queries, func(q broker.Query) bool { return len(q.Workers) > 0 })
	now := time.Now()
	d.asked.note(queries, withWorkers, now)
	if s := d.snapshot; s != nil && now.Sub(s.at) < d.config.kept(s.took) && (s.withWorkers || !withWorkers) && s.covers(queries) {
		return s, nil
	}
	s, err := d.management.read(ctx, now, d.asked, withWorkers)
	if err != nil {
		return nil, err
	}
	s.took = time.Since(now)
	d.snapshot = s
	return s, nil
}

// depth is the depth of a queue that is there.
func (d *driver) depth(s *snapshot, q broker.Query, ready int64, at time.Time) broker.Depth {
	t, _ := s.totalsOf(q.Queue)
	depth := d.memory.depth(q.Queue, ready, t, at, d.config.lag())
	depth.Held, depth.HeldLate, depth.CountsAll = s.heldOf(q), true, s.countsAll(q.Queue)
	return depth
}
