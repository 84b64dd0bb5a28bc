// Package brokers has the brokers that local mode can start, each in a file of its own: its server, the ScalerConfig that
// reaches it, and the queue in which the demo pushes and counts tasks.
package brokers

import (
	"context"
	"fmt"
	"strings"

	"github.com/quickube/qscaler/api/v1alpha1"
)

// ExampleQueue is the queue in the manifests of the example workers.
const ExampleQueue = "task-queue"

// Broker is one broker as local mode runs it.
type Broker struct {
	// Name is what --broker says.
	Name string
	// Start starts a server. It stops by Server.Stop alone.
	Start func(context.Context, Options) (Server, error)
	// Config is how a ScalerConfig reaches the server, with that password; nil for a server that was started without one.
	Config func(server Server, password *v1alpha1.PasswordSource) v1alpha1.ScalerConfigSpec
	// Image is the one of an example worker for it, and Group its consumer group, where the broker has groups.
	Image, Group string
	// Example is the directory of that worker in examples/, and QWorker and ScalerConfig are the names in its manifest.
	Example, QWorker, ScalerConfig string
	// MissingWorker says what the example worker needs and this machine lacks; nil where it runs.
	MissingWorker func(context.Context) error
	// HidesBusy is true where the broker does not tell which workers are at a task.
	HidesBusy bool
	// Verb is what pushing a task is called there, such as "LPUSH".
	Verb string
	// Connect connects to the queue with the name, and makes it where it must be made.
	Connect func(ctx context.Context, server Server, password, queue string) (Queue, error)
	// Push is a command for a shell that pushes six tasks of 5 s into ExampleQueue, without a password.
	Push func(server Server) string
	// MissingClient says how to get the broker's own client for a shell, where it is not on this machine; "" where it is.
	MissingClient func() string
}

// Options is how a server runs.
type Options struct {
	// Dir is the directory of its data and its log; it is made.
	Dir string
	// Password is what it asks for; "" for nothing.
	Password string
	// Progress gets lines for a person.
	Progress func(format string, args ...any)
}

// Server is a broker's server on this machine.
type Server interface {
	// Addr is host:port.
	Addr() string
	// Port is the port, on 127.0.0.1.
	Port() int
	// String names the server for a person.
	String() string
	// Stop ends it.
	Stop() error
}

// Queue is one queue, as a producer and an administrator see it.
type Queue interface {
	// Push puts a task behind those that wait.
	Push(ctx context.Context, payload string) error
	// Depth counts the tasks that wait, and those that workers have taken and not done. The pods are all workers that
	// there have been.
	Depth(ctx context.Context, pods []string) (waiting, inFlight int64, err error)
	// Payloads are those of the tasks that are still there. Nobody works on them now: a queue that shows a task only to
	// who takes it may take them.
	Payloads(ctx context.Context) ([]string, error)
	// Close ends the connection.
	Close()
}

// Default is the one that local mode starts where nobody names another.
func Default() Broker { return Redis() }

// All are the brokers, the default first.
func All() []Broker {
	return []Broker{Redis(), RedisStreams(), RabbitMQ(), NATS(), Postgres()}
}

// Named is the broker with the name.
func Named(name string) (Broker, error) {
	for _, b := range All() {
		if b.Name == name {
			return b, nil
		}
	}
	return Broker{}, fmt.Errorf("local mode has no broker %q; it has %s", name, Names())
}

// Names lists the names for a person.
func Names() string {
	var names []string
	for _, b := range All() {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}
