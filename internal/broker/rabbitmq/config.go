// Package rabbitmq reads queues of a virtual host of RabbitMQ.
//
//	config.go      the kind, and how a server is reached
//	environment.go what workers are told
//	queue.go       which names a queue may have
//	driver.go      reads depths: what the management API says, and then what each queue says
//	depth.go       puts the two together
//	link.go        the connection of AMQP; guard.go what a server may say on it
//	declare.go     passive declares: how many messages of a queue wait
//	management.go  requests to the management API; list.go what it may answer
//	asked.go       what is looked for in its answers: nothing else of them is kept
//	snapshot.go    what it says of all queues of a virtual host; workers.go of who holds their messages
//	redelivery.go  when a message is delivered again
//	errors.go      failures in words
//
// One call of Depths is, where config.rabbitmq.managementPort is set, one request for all queues of the virtual host, and
// two more where workers are asked for. Then it is one passive declare for each queue that is there, on 16 channels at
// once. Docs: docs/brokers/rabbitmq.md.
package rabbitmq

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Kind is RabbitMQ.
func Kind() broker.Kind {
	return broker.Kind{
		Type:      "rabbitmq",
		Port:      5672,
		MorePorts: []int32{5671, 15671, 15672}, // over TLS, and of the management API
		Parse:     parse,
		Open:      broker.Opener(Open),
		Env:       env,
		Cadence: broker.Cadence{
			Poll: time.Second, PollAtZero: 250 * time.Millisecond, Batch: 10 * time.Millisecond,
			// A declare is a message to the queue's process, and costs the server about 0.1 ms.
			Budget: 500, Quiet: quiet, QuietBudget: 500,
		},
	}
}

// quiet is how often a quiet queue is asked: at first as often as any, and after a minute every 1.2 s.
func quiet(since time.Duration) time.Duration {
	return min(max(since/50, 250*time.Millisecond), 1200*time.Millisecond)
}

// DefaultStatisticsInterval is how old a server's statistics may be, unless it is configured otherwise.
const DefaultStatisticsInterval = 5 * time.Second

// Config is how to reach a virtual host of a RabbitMQ server.
type Config struct {
	// Address is host:port of AMQP.
	Address string
	// Management is host:port of the management API, "" where that is not to be asked.
	Management string
	// Username is guest where the user names none.
	Username string
	Password broker.Secret
	// VHost is the virtual host.
	VHost string
	// Statistics is how old what the management API says may be.
	Statistics time.Duration
	// TLS is nil for plain TCP, on both ports.
	TLS *tls.Config
}

// own is the block config.rabbitmq of a ScalerConfig.
type own struct {
	VHost              string `json:"vhost"`
	ManagementPort     int32  `json:"managementPort"`
	StatisticsInterval string `json:"statisticsInterval"`
}

func parseOwn(block json.RawMessage) (o own, err error) {
	if len(bytes.TrimSpace(block)) > 0 {
		if err = json.Unmarshal(block, &o); err != nil {
			return own{}, fmt.Errorf("reading config.rabbitmq, %w", err)
		}
	}
	o.VHost = cmp.Or(o.VHost, "/")
	return o, nil
}

func parse(s broker.Settings) (broker.Config, error) {
	o, err := parseOwn(s.Own)
	if err != nil {
		return nil, err
	}
	c := Config{
		Address: net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))), Username: cmp.Or(s.Username, "guest"), Password: s.Password,
		VHost: o.VHost, Statistics: DefaultStatisticsInterval, TLS: s.TLS,
	}
	if o.ManagementPort != 0 {
		c.Management = net.JoinHostPort(s.Host, strconv.Itoa(int(o.ManagementPort)))
	}
	if o.StatisticsInterval != "" {
		if c.Statistics, err = time.ParseDuration(o.StatisticsInterval); err != nil || c.Statistics <= 0 {
			return nil, fmt.Errorf("config.rabbitmq.statisticsInterval %q must be a duration above 0, such as 5s", broker.Words(o.StatisticsInterval, broker.Secret{}))
		}
	}
	return c, nil
}

// Equal is broker.Config's.
func (c Config) Equal(other broker.Config) bool {
	o, ok := other.(Config)
	return ok && c.Address == o.Address && c.Management == o.Management && c.Username == o.Username && c.Password.Equal(o.Password) &&
		c.VHost == o.VHost && c.Statistics == o.Statistics && broker.SameTLS(c.TLS, o.TLS)
}

// lag is how long ago something may have happened that what the management API says does not show: statistics are so
// old, an answer is kept for as long at most, and a busy server is late.
func (c Config) lag() time.Duration { return 3 * c.Statistics }

// kept is for how long an answer of the management API is used again that took so long. The more it costs the server, the
// more seldom it is asked.
func (c Config) kept(took time.Duration) time.Duration {
	const share = 10 // of the time, the server answers us for one part in ten
	return min(max(c.Statistics/5, share*took), c.Statistics)
}
