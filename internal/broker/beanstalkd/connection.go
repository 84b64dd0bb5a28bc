package beanstalkd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	dialTimeout = 3 * time.Second
	// replyTimeout bounds a read whose caller sets no deadline: a server that hangs closes nothing.
	replyTimeout = 5 * time.Second
)

// connection is one connection to a server. After an error it is of no use: what comes then may be the answer to what
// failed.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(ctx context.Context, c Config) (*connection, error) {
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
		return nil, err
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 2*longestLine)}, nil
}

// exchange sends the commands beside the reading of the replies: a server that cannot get rid of those reads no more.
func (c *connection) exchange(ctx context.Context, commands string, read func(*bufio.Reader) error) error {
	if c.in.Buffered() > 0 {
		return strange{"the server sent a reply that was not asked for"}
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.conn, commands)
		sent <- err
	}()
	err := read(c.in)
	if err != nil {
		_ = c.conn.Close() // the writer waits for nobody any more
	}
	err = errors.Join(err, <-sent)
	if !stop() { // the connection is past its deadline
		err = errors.Join(err, ctx.Err())
	}
	return err
}

// failed puts what ended an exchange into words for a person.
func failed(ctx context.Context, err error, c Config) error {
	if cause := ctx.Err(); cause != nil {
		err = cause
	}
	return classify(err, c)
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
		return broker.Fail(broker.ReasonUnknown, at, "the server refuses: "+broker.ErrorWords(refused.text, broker.Secret{}), err)
	case errors.As(err, &odd):
		return broker.Fail(broker.ReasonUnknown, at, odd.Error(), err)
	default:
		return broker.Unreachable(at, err, c.TLS, broker.Secret{})
	}
}
