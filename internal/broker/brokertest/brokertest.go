// Package brokertest is the suite that every driver passes against its real server: what a broker answers is right,
// whatever happens to it and to the way to it, and what was not read is never read as zero.
//
//	brokertest.go  what a driver gives: its kind, and a real server with producers and workers
//	counts.go      what is waiting and in flight, alone, in motion, by the thousand
//	workers.go     who holds it
//	groups.go      for which consumer group
//	doorbell.go    what a broker tells by itself
//	ages.go        how old messages are
//	failures.go    a server that is away, hangs, restarts, refuses
//	hostile.go     a connection that is cut or fed with anything, at each phase
//	secure.go      a connection over TLS
//	proxy.go       the way to the server, which the cases above spoil
//
// A driver's test is one call of Run. It may import internal/broker and no driver.
//
// What it asks of every driver, beside right counts:
//
//   - Open connects, or says why it cannot.
//   - A driver has one connection for depths. Once that is broken, each read of them fails, and the backlog opens a new
//     driver after a pause. A client library that connects again by itself must be kept from it, at least while the server closes
//     each connection soon. A driver that rings and has connected again rings for all queues.
//   - After Close every read fails. Close may be called twice, and while a read is under way. It leaves no goroutine.
//   - Depths keeps to the deadline of its context, and to one of its own where that has none.
//   - One connection and its reads allocate 1 MiB at most, whatever the server sends, also what is free again at once.
//   - An age that was not read is unknown, and never 0. OldestAges keeps to the same bounds. When it fails, Depths goes on.
//   - An error has a reason of internal/broker, 600 printable bytes at most, and never the password.
//   - Settings that are not the same make a Config that is not Equal: the backlog connects anew by that.
//
// What it does not test, and a driver tests itself: Reclaimer, Inspector and SharedConfig; names that no queue can have,
// which are to fail their own queue alone, with ReasonInvalidQueue; the settings of its own block; Env; and what Database
// and Username mean.
package brokertest

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Server is a real server, and what producers and workers do with it. Its methods may be called from several
// goroutines, and fail the test themselves.
type Server interface {
	// Settings are how it is reached: its host and port, and credentials that are right.
	Settings() broker.Settings
	// Push sends n messages.
	Push(queue string, n int)
	// Take has a worker take n messages, which it does not acknowledge. It takes what is there: fewer where there are
	// fewer, and returns how many. The broker gets to know the worker as it would in a cluster: by its pod name, its host
	// name or its address, which are three. The address is one of the loopback interface.
	Take(queue string, w broker.Worker, n int) int
	// Acknowledge has the worker acknowledge n of the messages that it holds of the queue.
	Acknowledge(queue string, w broker.Worker, n int)
	// Pause stops the server in its tracks, connections open; Resume lets it go on.
	Pause()
	Resume()
	// Restart kills the server and starts it again, with its data.
	Restart()
}

// Batcher is a Server that waits, after a step, until the broker tells of it. It does several steps together, and waits once.
type Batcher interface {
	Together(steps func())
}

// together does steps between which nobody reads.
func together(s Server, steps func()) {
	if b, ok := s.(Batcher); ok {
		b.Together(steps)
		return
	}
	steps()
}

// Harness is what the suite knows of a kind of broker.
type Harness struct {
	Kind broker.Kind
	// Start starts a server of the test's own, which ends with the test.
	Start func(t *testing.T) Server
	// Group is the consumer group that is asked for, and of which the workers are; "" where the queues of the broker have no
	// such groups.
	Group string
	// Declare makes queues that are empty, on a broker where somebody must make a queue before it is used: one that nobody has
	// made fails with ReasonQueueNotFound. It is nil where such a queue is empty. Push makes the queue where it is missing.
	Declare func(s Server, queues ...string)
	// StartTLS starts one that speaks TLS with a certificate and a key, both as PEM. It is for brokers whose connections begin
	// without TLS; nil has a proxy speak TLS from the first byte.
	StartTLS func(t *testing.T, certificate, key []byte) Server
	// ByWorker is true where the broker knows which worker holds what.
	ByWorker bool
	// BusyOnly is true where it knows, with ByWorker, who holds something, and never who holds nothing.
	BusyOnly bool
	// Lags is true where the server tells what has happened after a while only. Each step of a Server waits for that, and
	// the suite does fewer of them. Its Server should be a Batcher.
	Lags bool
	// InFlight is true where the broker tells how many messages are in flight. Where it does not, the number of workers
	// never falls.
	InFlight bool
	// Rings is true where the broker tells of changes by itself.
	Rings bool
	// Ages is true where the broker tells how old messages are: the driver is a broker.AgeReader.
	Ages bool
	// Queues is how many queues one call of Depths is asked for at most; 0 is 3000. One of a hundred is there.
	Queues int
	// Rounds is how many round trips such a call takes; 0 where the driver does not bound them.
	Rounds int
	// SetPassword changes the password of a server that Start has started; nil where the broker has none.
	SetPassword func(t *testing.T, s Server, password string)
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	cases := []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"the kind is complete", kindIsComplete},
		{"a queue that is not there is known to be empty, or not to be there", missingQueue},
		{"what waits and what is in flight", waitingAndInFlight},
		{"queues and workers are not taken for each other", apart},
		{"a consumer group that is missing, or too much", groups},
		{"workers that cannot be told apart", alike},
		{"nothing is missed in motion", motion},
		{"thousands of queues", thousands},
		{"several callers at once", severalCallers},
		{"the doorbell", doorbell},
		{"how old messages are", agesOf},
		{"ages from a server that is away", agesAway},
		{"ages over a connection that is spoiled", agesSpoiled},
		{"a wrong password", wrongPassword},
		{"a password that changes", rotation},
		{"over TLS", overTLS},
		{"a server that restarts", restart},
		{"a server that hangs", hanging},
		{"nobody listens", nobodyListens},
		{"a connection that is cut anywhere", cutAnywhere},
		{"a connection that stalls anywhere", stalledAnywhere},
		{"a server that sends anything", hostile},
		{"a server that answers once", answersOnce},
		{"nothing is left behind", nothingLeft},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

func kindIsComplete(t *testing.T, h Harness) {
	k := h.Kind
	if k.Type == "" || k.Port <= 0 || k.Parse == nil || k.Open == nil || k.Cadence.Poll <= 0 {
		t.Errorf("it lacks a type, a port, Parse, Open or how often it is polled: %+v", k)
	}
	settings := broker.Settings{Host: "::1", Port: k.Port}
	config := parse(t, h, settings)
	if !config.Equal(parse(t, h, settings)) {
		t.Error("equal settings make configurations that are not")
	}
	for name, change := range map[string]func(*broker.Settings){
		"host": func(s *broker.Settings) { s.Host = "other" },
		"port": func(s *broker.Settings) { s.Port++ },
		"way of verifying the server": func(s *broker.Settings) {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "other"}
		},
	} {
		other := settings
		change(&other)
		if config.Equal(parse(t, h, other)) {
			t.Errorf("another %s makes an equal configuration", name)
		}
	}
	if h.SetPassword == nil {
		return
	}
	settings.Password = broker.NewSecret("one")
	other := settings
	other.Password = broker.NewSecret("two")
	if parse(t, h, settings).Equal(parse(t, h, other)) {
		t.Error("another password makes an equal configuration")
	}
}

func parse(t *testing.T, h Harness, s broker.Settings) broker.Config {
	t.Helper()
	config, err := h.Kind.Parse(s)
	if err != nil {
		t.Fatalf("parsing %+v: %v", s, err)
	}
	return config
}

// silent is a doorbell that nobody hears.
func silent(...string) {}

// dial opens a connection, or says why not.
func dial(t *testing.T, h Harness, s broker.Settings) (broker.Driver, error) {
	t.Helper()
	return h.Kind.Open(t.Context(), parse(t, h, s), silent)
}

// open opens a connection that ends with the test.
func open(t *testing.T, h Harness, s broker.Settings) broker.Driver {
	t.Helper()
	d, err := dial(t, h, s)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

// readOnce opens a connection, reads, and closes it.
func readOnce(t *testing.T, h Harness, s broker.Settings, queries ...broker.Query) ([]broker.Answer, error) {
	t.Helper()
	d, err := dial(t, h, s)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	return d.Depths(ctx, queries)
}

// deadline is for a read that something is wrong with; waitLimit for whatever must happen in the end.
const (
	deadline  = 2 * time.Second
	waitLimit = 30 * time.Second
)

// declare makes queues that are empty, where that must be done.
func (h Harness) declare(s Server, queues ...string) {
	if h.Declare != nil {
		h.Declare(s, queues...)
	}
}

// query asks for a queue, and for what the workers of these pods hold of it.
func (h Harness) query(queue string, pods ...string) broker.Query {
	q := broker.Query{Queue: queue, Group: h.Group}
	for _, pod := range pods {
		q.Workers = append(q.Workers, worker(pod))
	}
	return q
}

// depth reads one queue, which must succeed.
func depth(t *testing.T, d broker.Driver, q broker.Query) broker.Depth {
	t.Helper()
	answers, err := d.Depths(t.Context(), []broker.Query{q})
	if err != nil {
		t.Fatalf("reading %s: %v", q.Queue, err)
	}
	if len(answers) != 1 || answers[0].Err != nil {
		t.Fatalf("reading %s: %+v, want one answer, without an error", q.Queue, answers)
	}
	return answers[0].Depth
}
