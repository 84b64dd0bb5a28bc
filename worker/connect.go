package worker

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/internal/locate"
)

// connection ends when the queue is on another server. A server that is a replica after a failover lives on: it ends no
// connection, and refuses each write for good. A node of a Redis Cluster does so after its slot has moved. The client library
// connects anew only when a connection ends, so such an answer ends them all.
type connection struct {
	rueidis.Client
	wires *wires
}

// connect connects to Redis.
func connect(option rueidis.ClientOption, server locate.Locator) (rueidis.Client, error) {
	w := &wires{server: server, open: map[net.Conn]bool{}}
	option.DialCtxFn = w.dial
	client, err := rueidis.NewClient(option)
	if err == nil {
		return connection{client, w}, nil
	}
	if client != nil { // the library returns one beside an error
		client.Close()
	}
	return nil, err
}

// Do implements rueidis.Client. A script is done by it, too.
func (c connection) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	reply := c.Client.Do(ctx, command)
	if err := reply.Error(); isReplica(err) || isElsewhere(err) {
		c.wires.cut(movedTo(err))
	}
	return reply
}

// wires are the open network connections, all to one server.
type wires struct {
	server locate.Locator

	mu   sync.Mutex
	open map[net.Conn]bool
	// to is the address that they lead to.
	to string
	// last is when they were cut.
	last time.Time
}

func (w *wires) dial(ctx context.Context, _ string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	address, err := w.server.Locate(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := locate.Dial(ctx, address, dialer, config)
	if err != nil {
		w.server.Moved(address, "")
		return nil, err
	}
	w.end(w.add(conn, address))
	return wire{conn, w}, nil
}

// add has one more, and returns those that lead to another server: what is done over them may be lost.
func (w *wires) add(conn net.Conn, address string) (elsewhere map[net.Conn]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if address != w.to {
		elsewhere = w.open
		w.open, w.to = map[net.Conn]bool{}, address
	}
	w.open[conn] = true
	return elsewhere
}

func (*wires) end(conns map[net.Conn]bool) {
	for conn := range conns {
		_ = conn.Close()
	}
}

// cut ends them all, after an answer that the queue is elsewhere, at that address if it is known. Many commands may get such an
// answer at once, and later commands use new connections: it does so at most once a second.
func (w *wires) cut(elsewhere string) {
	w.mu.Lock()
	if time.Since(w.last) < time.Second {
		w.mu.Unlock()
		return
	}
	open, from := w.open, w.to
	w.open, w.last = map[net.Conn]bool{}, time.Now()
	w.mu.Unlock()
	w.server.Moved(from, elsewhere)
	w.end(open)
}

// wire is one of them.
type wire struct {
	net.Conn
	of *wires
}

func (w wire) Close() error {
	w.of.mu.Lock()
	delete(w.of.open, w.Conn)
	w.of.mu.Unlock()
	return w.Conn.Close()
}
