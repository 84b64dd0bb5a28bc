package worker

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// connection ends when its address leads to another server. Behind a Service or a virtual IP that happens after a
// failover, and the server before it lives on as a replica: it ends no connection, and refuses each write for good.
// The client library connects anew only when a connection ends, so such an answer ends them all.
type connection struct {
	rueidis.Client
	wires *wires
}

// connect connects to Redis.
func connect(option rueidis.ClientOption) (rueidis.Client, error) {
	w := &wires{open: map[net.Conn]bool{}}
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
	if isReplica(reply.Error()) {
		c.wires.cut()
	}
	return reply
}

// wires are the open network connections.
type wires struct {
	mu   sync.Mutex
	open map[net.Conn]bool
	// last is when they were cut.
	last time.Time
}

func (w *wires) dial(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	var (
		conn net.Conn
		err  error
	)
	if config != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[conn] = true
	return wire{conn, w}, nil
}

// cut ends them all. Many commands may get such an answer at once, and later commands use new connections: it does so
// at most once a second.
func (w *wires) cut() {
	w.mu.Lock()
	if time.Since(w.last) < time.Second {
		w.mu.Unlock()
		return
	}
	open := w.open
	w.open, w.last = map[net.Conn]bool{}, time.Now()
	w.mu.Unlock()
	for conn := range open {
		_ = conn.Close()
	}
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
