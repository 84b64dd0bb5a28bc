package nats

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/quickube/qscaler/internal/broker"
)

// dialTimeout bounds each of two steps: the connection with TLS, and the login.
const dialTimeout = 3 * time.Second

// dialer is the client library's. It does what TLS there is, so that the guard reads what is not encrypted.
type dialer struct {
	ctx    context.Context
	config Config
	// guard is the connection that was made; err is why there is none.
	guard *guard
	err   error
}

// SkipTLSHandshake has the library leave TLS to the dialer.
func (*dialer) SkipTLSHandshake() bool { return true }

// Dial connects. It is called once: the library has one server, and does not connect again.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		d.err = err
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	d.guard, err = d.secure(ctx, conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		d.guard, d.err = nil, err
		return nil, err
	}
	return d.guard, nil
}

// secure begins TLS where it is wanted. A server speaks first, in plain text, and says whether it speaks TLS; one that wants
// the handshake first says nothing before it.
func (d *dialer) secure(ctx context.Context, conn net.Conn) (*guard, error) {
	if d.config.TLS == nil {
		return newGuard(conn, d.config.Inbox), nil
	}
	if d.config.HandshakeFirst {
		return d.handshake(ctx, conn, nil)
	}
	plain := newGuard(conn, d.config.Inbox)
	line, err := plain.line()
	if err != nil {
		return nil, err
	}
	info, ok := bytes.CutPrefix(line, []byte("INFO "))
	var says struct {
		Required  bool `json:"tls_required"`
		Available bool `json:"tls_available"`
	}
	if !ok || json.Unmarshal(info, &says) != nil {
		return nil, strange{"the server sent what has no meaning"}
	}
	if !says.Required && !says.Available {
		return nil, errNoTLS
	}
	if plain.in.Buffered() > 0 {
		return nil, strange{"the server spoke before the handshake of TLS"}
	}
	return d.handshake(ctx, conn, append(bytes.Clone(line), "\r\n"...))
}

// handshake begins TLS. What the server has said before it is read again by the library.
func (d *dialer) handshake(ctx context.Context, conn net.Conn, said []byte) (*guard, error) {
	client := tls.Client(conn, d.config.TLS)
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	g := newGuard(client, d.config.Inbox)
	g.out = said
	return g, nil
}

var errNoTLS = errors.New("the server speaks no TLS; remove config.tls, or set it up there")

// connect makes a connection. The events of the client library go to the driver.
func connect(ctx context.Context, c Config, d *driver) (*nats.Conn, *guard, error) {
	login, err := c.Login.options()
	if err != nil {
		return nil, nil, err
	}
	dial := &dialer{ctx: ctx, config: c}
	options := nats.GetDefaultOptions()
	if err := login(&options); err != nil {
		return nil, nil, err
	}
	options.Url = "nats://" + c.Address
	options.Name = "qscaler"
	options.AllowReconnect = false // the backlog connects again, and knows when
	options.IgnoreDiscoveredServers = true
	options.SkipHostLookup = true // the dialer does it, within the deadline
	options.CustomDialer = dial
	options.Timeout = dialTimeout
	options.AsyncErrorCB = d.asyncError
	options.ClosedCB = func(*nats.Conn) { d.end() }
	conn, err := options.Connect()
	if err == nil {
		return conn, dial.guard, nil
	}
	if cause := ctx.Err(); cause != nil {
		err = cause
	} else if dial.err != nil {
		err = dial.err
	} else if dial.guard != nil {
		err = errors.Join(dial.guard.failure(), err)
	}
	return nil, nil, classify(err, c)
}

// explainRefusal is the class of what a server says before it closes a connection, and what it means.
func explainRefusal(says refusal, secret broker.Secret) (reason broker.Reason, explained string) {
	shown, lower := broker.ErrorWords(says.text, secret), strings.ToLower(says.text)
	switch {
	case strings.Contains(lower, "authorization violation"), strings.Contains(lower, "authentication"):
		return broker.ReasonAuthenticationFailed, "the server refuses the login: " + shown
	case strings.Contains(lower, "tls required"):
		return broker.ReasonTLSFailed, "the server wants TLS; set config.tls"
	}
	return broker.ReasonUnknown, "the server refuses: " + shown
}

// classify puts a failure into words for a person.
func classify(err error, c Config) error {
	at, secret := "nats at "+c.Address, c.Login.Secret
	var (
		odd     strange
		known   *broker.Error
		refused refusal
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &odd):
		return broker.Fail(broker.ReasonUnknown, at, odd.Error(), err)
	case errors.Is(err, errNoTLS):
		return broker.Fail(broker.ReasonTLSFailed, at, err.Error(), err)
	case errors.As(err, &refused):
		reason, explained := explainRefusal(refused, secret)
		if c.Login.trims() {
			return broker.Fail(reason, at, explained, err)
		}
		return broker.Refused(reason, at, explained, secret, err)
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return broker.Unreachable(at, context.DeadlineExceeded, c.TLS, secret)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrStaleConnection):
		return broker.Unreachable(at, io.EOF, c.TLS, secret)
	}
	return broker.Unreachable(at, err, c.TLS, secret)
}
