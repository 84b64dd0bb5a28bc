package rabbitmq

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	dialTimeout = 3 * time.Second
	// loginTimeout is how long a server may take to let somebody in. Where it does not, it says nothing for 3 s, and closes.
	loginTimeout = 8 * time.Second
	// partingTimeout is for how long a server may take to say goodbye.
	partingTimeout = 500 * time.Millisecond
	// heartbeat ends a connection whose server is silent for three times as long.
	heartbeat = 10 * time.Second
	// mostChannels is on how many channels queues are asked at once.
	mostChannels = 16
)

// link is one connection of AMQP. After an error it is of no use.
type link struct {
	config Config
	wire   *guard
	conn   *amqp.Connection
	// ended is closed when the library is done with the connection.
	ended chan *amqp.Error
	// lanes are its channels, nil where one has yet to be opened. Whoever reads depths has them.
	lanes []*amqp.Channel
}

// dial connects, and logs in to the virtual host.
func dial(ctx context.Context, c Config) (*link, error) {
	wire, err := connect(ctx, c)
	if err != nil {
		return nil, c.classify(err, true)
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	return handshake(ctx, wire, c)
}

// handshake logs in on a connection, which it closes where that fails.
func handshake(ctx context.Context, wire net.Conn, c Config) (*link, error) {
	g := newGuard(wire)
	stop := context.AfterFunc(ctx, func() { _ = wire.Close() })
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("qscaler")
	conn, err := amqp.Open(g, amqp.Config{
		Vhost: c.VHost, ChannelMax: 2 * mostChannels, FrameSize: longestFrame, Heartbeat: heartbeat, Locale: "en_US", Properties: properties,
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: c.Username, Password: c.Password.Reveal()}},
	})
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = c.failed(ctx, g, err)
		_ = wire.Close()
		return nil, err
	}
	l := &link{config: c, wire: g, conn: conn, ended: conn.NotifyClose(make(chan *amqp.Error, 1))}
	l.lanes = make([]*amqp.Channel, max(1, min(mostChannels, int(conn.Config.ChannelMax))))
	return l, nil
}

func connect(ctx context.Context, c Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := &net.Dialer{}
	if c.TLS != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: c.TLS}).DialContext(ctx, "tcp", c.Address)
	}
	return dialer.DialContext(ctx, "tcp", c.Address)
}

// cut ends the connection without a word.
func (l *link) cut() {
	_ = l.wire.Close()
	l.await()
}

// part says goodbye and ends the connection.
func (l *link) part() {
	_ = l.conn.CloseDeadline(time.Now().Add(partingTimeout))
	l.cut()
}

// await waits until the library has ended what it started for the connection, which it does once that is closed.
func (l *link) await() {
	timer := time.NewTimer(partingTimeout)
	defer timer.Stop()
	for {
		select {
		case _, more := <-l.ended:
			if !more {
				return
			}
		case <-timer.C:
			return
		}
	}
}
