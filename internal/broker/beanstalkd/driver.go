package beanstalkd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	dialTimeout = 3 * time.Second
	// replyTimeout bounds a read whose caller sets no deadline: a server that hangs closes nothing.
	replyTimeout = 5 * time.Second
)

// driver is one connection. A read that fails ends it: what comes afterwards may be the answer to that read.
type driver struct {
	config Config
	conn   net.Conn
	in     *bufio.Reader
	// turn is held by whoever reads.
	turn chan struct{}
	// broken is why nobody can read any more; whoever has the turn may touch it.
	broken error
}

// Open connects to a Beanstalkd server. It never rings: the server tells of no changes.
func Open(ctx context.Context, c Config, _ broker.Doorbell) (broker.Driver, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var (
		conn   net.Conn
		err    error
		dialer = &net.Dialer{}
	)
	if c.TLS != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: c.TLS}).DialContext(ctx, "tcp", c.Address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", c.Address)
	}
	if err != nil {
		return nil, classify(err, c)
	}
	return &driver{config: c, conn: conn, in: bufio.NewReaderSize(conn, 2*longestLine), turn: make(chan struct{}, 1)}, nil
}

// Close ends the connection, and with it a read that is under way.
func (d *driver) Close() { _ = d.conn.Close() }

// Depths asks for all tubes in one pipeline.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, classify(ctx.Err(), d.config)
	}
	if d.broken != nil {
		return nil, d.broken
	}
	answers, err := d.ask(ctx, queries)
	if err != nil {
		if cause := ctx.Err(); cause != nil {
			err = cause
		}
		d.broken = classify(err, d.config)
		_ = d.conn.Close()
		return nil, d.broken
	}
	return answers, nil
}

// ask sends the commands beside the reading of the replies: a server that cannot get rid of those reads no more.
func (d *driver) ask(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	if d.in.Buffered() > 0 {
		return nil, strange{"the server sent a reply that was not asked for"}
	}
	stop := context.AfterFunc(ctx, func() { _ = d.conn.SetDeadline(time.Unix(1, 0)) })
	answers := make([]broker.Answer, len(queries))
	commands, asked := pipeline(queries, answers)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(d.conn, commands)
		sent <- err
	}()
	err := d.readReplies(queries, answers, asked)
	if err != nil {
		_ = d.conn.Close() // the writer waits for nobody any more
	}
	err = errors.Join(err, <-sent)
	if !stop() { // the connection is past its deadline
		err = errors.Join(err, ctx.Err())
	}
	return answers, err
}

// pipeline has the commands, and which queries they are for; a name that no tube can have is answered at once.
// Without any, it asks for something that every server knows.
func pipeline(queries []broker.Query, answers []broker.Answer) (commands string, asked []int) {
	var b strings.Builder
	for i, q := range queries {
		if err := checkTube(q.Queue); err != nil {
			answers[i].Err = err
			continue
		}
		fmt.Fprintf(&b, "stats-tube %s\r\n", q.Queue)
		asked = append(asked, i)
	}
	if len(asked) == 0 {
		return "list-tube-used\r\n", nil
	}
	return b.String(), asked
}

func (d *driver) readReplies(queries []broker.Query, answers []broker.Answer, asked []int) error {
	if len(asked) == 0 {
		line, err := readLine(d.in)
		if err == nil && !strings.HasPrefix(line, "USING ") {
			err = refusal{line}
		}
		return err
	}
	for _, i := range asked {
		depth, err := readDepth(d.in, queries[i].Queue)
		if err != nil {
			return err
		}
		answers[i].Depth = depth
	}
	return nil
}

// classify puts a failure into words for a person.
func classify(err error, c Config) error {
	at := "beanstalkd at " + c.Address
	var (
		refused refusal
		odd     strange
	)
	switch {
	case errors.As(err, &refused):
		return broker.Fail(broker.ReasonUnknown, at, "the server refuses: "+broker.Words(refused.text, broker.Secret{}), err)
	case errors.As(err, &odd):
		return broker.Fail(broker.ReasonUnknown, at, odd.Error(), err)
	default:
		return broker.Unreachable(at, err, c.TLS, broker.Secret{})
	}
}
