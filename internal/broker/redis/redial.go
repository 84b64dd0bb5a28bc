package redis

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// redial makes the connections of one client. The library makes a new one whenever the last is broken and somebody asks
// for something: a server that answers once and closes would be dialled hundreds of times a second.
type redial struct {
	mu sync.Mutex
	// dialled is when the last connection was asked for, and last is that one, nil where it was not made.
	dialled time.Time
	last    *guard
	// once is true where no other is made, ever: who is at the address may be another server by then.
	once bool
}

// redialAfter is how long a connection must have been there for the library to make another. Whoever breaks it sooner
// has the driver fail, and comes back by the backlog's pauses.
const redialAfter = 10 * time.Second

// dial is the client library's way to the server.
func (r *redial) dial(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if err := r.tooSoon(time.Now()); err != nil {
		return nil, err
	}
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = newGuard(conn)
	return r.last, nil
}

// tooSoon is why there is no other connection yet: that the last one broke, and how.
func (r *redial) tooSoon(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, last := r.dialled, r.last
	if !before.IsZero() && (r.once || now.Sub(before) < redialAfter) {
		if last != nil && last.refusal() != nil {
			return last.refusal()
		}
		return net.ErrClosed
	}
	r.dialled, r.last = now, nil
	return nil
}
