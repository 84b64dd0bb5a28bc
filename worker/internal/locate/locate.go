// Package locate finds the Redis server that has a queue: the one at a fixed address, the master that Sentinels name, or the
// node of a Redis Cluster that has the queue's slot. All keys of a queue are in one slot, so that there always is just one.
//
//	locate.go    a server, and how it is connected to
//	sentinel.go  the master that Sentinels name
//	cluster.go   the node that has a slot
//	slots.go     the answer of a node of a cluster
//	ask.go       one question to several servers
//	address.go   addresses as servers tell them
package locate

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/redis/rueidis"
)

// Locator finds the server.
type Locator interface {
	// Locate is the address of the server, host:port. It asks anew each time. An error may wrap a server's answer.
	Locate(ctx context.Context) (address string, err error)
	// Moved tells that the server at from has answered that another is to be asked, and which: empty where it did not say so.
	Moved(from, to string)
}

// Fixed is a server that is always at the same address.
type Fixed string

// Locate implements Locator.
func (f Fixed) Locate(context.Context) (string, error) { return string(f), nil }

// Moved implements Locator.
func (Fixed) Moved(string, string) {}

// Dial opens a connection. Without a server name in the configuration of TLS, the certificate must be for the address.
func Dial(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// connect opens a connection for a few questions. It ends with the context.
func connect(ctx context.Context, option rueidis.ClientOption, address string) (rueidis.Client, error) {
	option.InitAddress = []string{address}
	option.Dialer.Timeout, option.ConnWriteTimeout = oneTimeout, oneTimeout
	option.DialCtxFn = func(_ context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		conn, err := Dial(ctx, address, dialer, config)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	client, err := rueidis.NewClient(option)
	if err != nil && client != nil { // the library returns one beside an error
		client.Close()
	}
	return client, err
}
