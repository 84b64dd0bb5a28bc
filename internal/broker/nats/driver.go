package nats

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/quickube/qscaler/internal/broker"
)

// key is a queue: a stream, as one of its consumers sees it.
type key struct{ stream, consumer string }

// driver reads depths over one connection, which a failed read ends.
type driver struct {
	config Config
	conn   *nats.Conn
	guard  *guard
	// inbox is the beginning of the subjects of this driver's answers.
	inbox   string
	replies chan *nats.Msg
	// denied has the subjects that may not be published to; noInbox ends where the answers may not be received.
	denied      chan string
	noInbox     chan struct{}
	refuseInbox sync.Once
	bells       *bells
	// redeliveries are what was read of the consumers beside their depths.
	redeliveries redeliveries

	// turn is held by whoever reads. asked counts the requests; silent are those that had no answer the last time; broken is
	// why nobody can read any more. Whoever has the turn may touch them.
	turn   chan struct{}
	asked  uint64
	silent map[string]bool
	broken error

	// closed ends with the connection.
	closed context.Context
	end    context.CancelFunc
}

// Open connects to a NATS server.
func Open(ctx context.Context, c Config, ring broker.Doorbell) (broker.Driver, error) {
	d := &driver{
		config: c, inbox: c.Inbox + "." + nuid.Next(), silent: map[string]bool{},
		replies: make(chan *nats.Msg, 2*mostAsked), denied: make(chan string, 2*mostAsked), noInbox: make(chan struct{}),
		turn: make(chan struct{}, 1),
	}
	d.closed, d.end = context.WithCancel(context.WithoutCancel(ctx))
	d.bells = newBells(d, ring)
	var err error
	if d.conn, d.guard, err = connect(ctx, c, d); err != nil {
		d.end()
		return nil, err
	}
	if _, err := d.conn.ChanSubscribe(d.inbox+".*", d.replies); err != nil {
		d.Close()
		return nil, classify(err, c)
	}
	return d, nil
}

// Close ends the connection, and with it the reads that are under way.
func (d *driver) Close() {
	d.end()
	_ = d.guard.Close() // so that the library does not wait for a server that hangs
	d.conn.Close()
}

// Depths asks for all consumers at once, and subscribes to the subjects of those without workers before it.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	timer := time.NewTimer(replyTimeout)
	defer timer.Stop()
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, classify(ctx.Err(), d.config)
	case <-timer.C:
		return nil, classify(context.DeadlineExceeded, d.config)
	}
	if d.broken != nil {
		return nil, d.broken
	}
	answers, err := d.depths(ctx, queries)
	if err != nil {
		d.broken = d.failed(ctx, err)
		d.Close()
		return nil, d.broken
	}
	return answers, nil
}

// failed puts what ended a read into words. What the guard has seen says more than what the library makes of it.
func (d *driver) failed(ctx context.Context, err error) error {
	var known *broker.Error
	if errors.As(err, &known) {
		return err
	}
	select {
	case <-d.noInbox:
		return broker.Fail(broker.ReasonPermissionDenied, "nats at "+d.config.Address, "the server does not let this user subscribe to "+
			broker.Words(d.config.Inbox, broker.Secret{})+".>, where its answers arrive; allow it, or set config.nats.inboxPrefix", err)
	default:
	}
	if cause := ctx.Err(); cause != nil {
		err = cause
	} else if cause := d.guard.failure(); cause != nil {
		err = cause
	}
	return classify(err, d.config)
}

func (d *driver) depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	answers := make([]broker.Answer, len(queries))
	asked := newAsked(queries, answers)
	if err := d.learn(ctx, d.bells.unknown(asked.keys, asked.atZero, time.Now())); err != nil {
		return nil, err
	}
	d.bells.arm(asked.keys, asked.atZero, time.Now())
	found, err := d.consumers(ctx, asked.keys)
	if err != nil {
		return nil, err
	}
	if err := d.wholeStreams(ctx, asked.keys, found); err != nil {
		return nil, err
	}
	for i, q := range queries {
		if answers[i].Err != nil {
			continue
		}
		f := found[asked.index[key{q.Queue, q.Group}]]
		if answers[i].Depth = f.depth; f.err != nil {
			answers[i].Err = d.explain(f.err, q, d.consumerSubject(key{q.Queue, q.Group}))
		}
	}
	return answers, nil
}

// asked are the queues of some queries, each once.
type asked struct {
	keys  []key
	index map[key]int
	// atZero are those without a worker.
	atZero map[key]bool
}

// newAsked answers at once the queries whose names cannot be.
func newAsked(queries []broker.Query, answers []broker.Answer) asked {
	a := asked{index: map[key]int{}, atZero: map[key]bool{}}
	for i, q := range queries {
		if answers[i].Err = check(q); answers[i].Err != nil {
			continue
		}
		k := key{q.Queue, q.Group}
		if _, ok := a.index[k]; !ok {
			a.index[k] = len(a.keys)
			a.keys = append(a.keys, k)
		}
		if len(q.Workers) == 0 {
			a.atZero[k] = true
		}
	}
	return a
}

func (d *driver) consumerSubject(k key) string {
	return d.config.API + ".CONSUMER.INFO." + k.stream + "." + k.consumer
}

func (d *driver) streamSubject(stream string) string { return d.config.API + ".STREAM.INFO." + stream }

// found is what was read of one queue.
type found struct {
	depth broker.Depth
	err   error
}

// consumers asks for the consumers. A failure of all of them is an error.
func (d *driver) consumers(ctx context.Context, keys []key) ([]found, error) {
	subjects := make([]string, len(keys))
	for i, k := range keys {
		subjects[i] = d.consumerSubject(k)
	}
	all := make([]found, len(keys))
	failures, answered, err := d.ask(ctx, subjects, func(i int, text []byte) error {
		info, err := parseConsumer(text, keys[i])
		if err != nil {
			return err
		}
		all[i].depth = info.depth()
		d.bells.learnConsumer(keys[i], info)
		d.redeliveries.note(keys[i], info.redelivery(), time.Now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	if answered == 0 && len(keys) > 0 {
		return nil, context.DeadlineExceeded
	}
	without := 0
	for i, err := range failures {
		if all[i].err = err; err != nil {
			if errors.As(err, new(strange)) {
				return nil, err
			}
			if withoutJetStream(err) {
				without++
			}
			continue
		}
		d.bells.seen(keys[i], all[i].depth)
	}
	if without > 0 && without == len(keys) {
		return nil, d.noJetStream(all[0].err)
	}
	return all, nil
}

// wholeStreams takes all messages of the stream for those of a consumer that does not exist.
func (d *driver) wholeStreams(ctx context.Context, keys []key, all []found) error {
	var (
		subjects []string
		at       []int
		refused  *apiError
	)
	for i, f := range all {
		if errors.As(f.err, &refused) && refused.ErrCode == codeConsumerNotFound {
			subjects, at = append(subjects, d.streamSubject(keys[i].stream)), append(at, i)
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	messages := make([]int64, len(subjects))
	failures, _, err := d.ask(ctx, subjects, func(n int, text []byte) error {
		info, err := parseStream(text, keys[at[n]].stream)
		if err == nil {
			messages[n] = *info.State.Messages
		}
		return err
	})
	if err != nil {
		return err
	}
	for n, err := range failures {
		k, f := keys[at[n]], &all[at[n]]
		if errors.As(err, new(strange)) {
			return err
		}
		if err != nil {
			*f = found{err: missing{k, subjects[n], err}}
			continue
		}
		*f = found{depth: broker.Depth{Waiting: broker.CountOf(messages[n]), InFlight: broker.CountOf(0), CountsAll: true}}
		d.bells.seen(k, f.depth)
		d.redeliveries.note(k, broker.Redelivery{Known: true}, time.Now()) // a consumer that is not there has no limits
	}
	return nil
}

// missing is why a consumer that does not exist has no depth: the stream could not be read in its place.
type missing struct {
	key
	subject string
	err     error
}

func (m missing) Error() string {
	return "there is no such consumer, and what its stream has could not be read from " + broker.Words(m.subject, broker.Secret{}) + ", " + m.err.Error()
}

func (m missing) Unwrap() error { return m.err }

// learn asks for what the doorbell needs to know. What cannot be learnt is polled for.
func (d *driver) learn(ctx context.Context, u unknown) error {
	if len(u.streams)+len(u.keys) == 0 {
		return nil
	}
	var subjects []string
	for _, stream := range u.streams {
		subjects = append(subjects, d.streamSubject(stream))
	}
	for _, k := range u.keys {
		subjects = append(subjects, d.consumerSubject(k))
	}
	failures, _, err := d.ask(ctx, subjects, func(i int, text []byte) error {
		if i < len(u.streams) {
			info, err := parseStream(text, u.streams[i])
			if err == nil {
				d.bells.learnStream(u.streams[i], info, nil, time.Now())
			}
			return err
		}
		k := u.keys[i-len(u.streams)]
		info, err := parseConsumer(text, k)
		if err == nil {
			d.bells.learnConsumer(k, info)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, err := range failures {
		switch {
		case err == nil:
		case i < len(u.streams):
			d.bells.learnStream(u.streams[i], streamInfo{}, err, time.Now())
		default:
			d.bells.learnConsumer(u.keys[i-len(u.streams)], consumerInfo{})
		}
	}
	return nil
}

// Pushes is broker.Pusher's.
func (d *driver) Pushes() (ok bool, why string) { return d.bells.pushes() }
