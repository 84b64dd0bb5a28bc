// Package broker is what QScaler asks of a message broker: how deep its queues are, and who holds what.
//
// It has the interface and the words; each sub-package is the driver of one broker. Nothing here, nor in a
// driver, knows of Kubernetes.
package broker

import (
	"context"
	"crypto/tls"
)

// Endpoint is a broker and the credentials for it, all resolved.
type Endpoint struct {
	// Type is the broker's type, such as "redis".
	Type string
	// Address is host:port.
	Address  string
	Username string
	Password string
	// Database is the number of the Redis database.
	Database int
	// TLS is nil for plain TCP.
	TLS *tls.Config
}

// Equal reports whether both are the same broker, reached with the same credentials.
func (e Endpoint) Equal(o Endpoint) bool {
	plain := e.Type == o.Type && e.Address == o.Address && e.Username == o.Username &&
		e.Password == o.Password && e.Database == o.Database
	if e.TLS == nil || o.TLS == nil {
		return plain && e.TLS == o.TLS
	}
	return plain && e.TLS.ServerName == o.TLS.ServerName &&
		e.TLS.InsecureSkipVerify == o.TLS.InsecureSkipVerify && e.TLS.RootCAs.Equal(o.TLS.RootCAs)
}

// Query asks for the depth of one queue.
type Query struct {
	Queue string
	// Workers names the workers whose messages in flight are counted, where the broker keeps them by worker.
	Workers []string
}

// Depth is how much work a queue has.
type Depth struct {
	// Waiting counts the messages that no worker has taken.
	Waiting int64
	// InFlight counts the messages that workers have taken and not acknowledged, Held included.
	InFlight int64
	// Held counts the messages in flight by worker, for each worker of the query, zeros included.
	// It is nil where the broker cannot tell.
	Held map[string]int64
}

// Answer is the depth of one queue, or why it could not be read.
type Answer struct {
	Depth Depth
	// Err is set when this queue, and not the broker as a whole, could not be read.
	Err error
}

// Driver reads the queues of one broker over one connection. Its methods may be called at once from
// several goroutines.
type Driver interface {
	// Depths answers each query, in order, in one round trip. An error means that nothing is known of
	// any queue; it is never an empty queue. Without queries it only makes sure that the broker answers.
	Depths(ctx context.Context, queries []Query) ([]Answer, error)
	// Pushes reports whether the broker rings the doorbell, and if not, why not, in plain words.
	Pushes() (ok bool, why string)
	// Close ends the connection and everything that the driver started.
	Close()
}

// Reclaimer is a driver whose broker keeps messages in flight by worker, and can give them back.
type Reclaimer interface {
	// Reclaim gives what a worker that no longer exists holds back to the head of the queue, and returns
	// how many messages it moved.
	Reclaim(ctx context.Context, queue, worker string) (moved int64, err error)
	// Holders finds every worker that holds messages of any queue. It reads incrementally and may take long
	// on a large broker.
	Holders(ctx context.Context) ([]Holder, error)
}

// Holder is a worker that holds messages.
type Holder struct {
	// Queues are the queues that the messages may be of; mostly one.
	Queues []string
	Worker string
}

// Doorbell is called with the queues that may have changed; without any, all may have. It returns at once.
type Doorbell func(queues ...string)
