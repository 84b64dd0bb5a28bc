// Package beanstalkd reads queues that are tubes of a Beanstalkd server.
//
//	config.go      the kind, and how a server is reached
//	connection.go  one connection: commands and their replies, and failures in words
//	driver.go      how many jobs there are
//	age.go         how old they are
//	reply.go       what a server may say
//	tube.go        which names a tube may have
//
// One call of Depths is one round trip, however many tubes: a pipeline of stats-tube. One call of OldestAges is a new
// connection and two round trips. Docs: docs/brokers/beanstalkd.md.
package beanstalkd

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Kind is Beanstalkd.
func Kind() broker.Kind {
	return broker.Kind{
		Type:  "beanstalkd",
		Port:  11300,
		Parse: parse,
		Open:  broker.Opener(Open),
		Cadence: broker.Cadence{
			Poll: time.Second, PollAtZero: 250 * time.Millisecond, Batch: 10 * time.Millisecond,
			// So many take the server 3 ms; 1000 take it up to 70: the time grows faster than the number.
			Budget: 100,
		},
	}
}

// Config is how to reach a Beanstalkd server.
type Config struct {
	// Address is host:port.
	Address string
	// TLS is nil for plain TCP. The server itself speaks none; a proxy before it may.
	TLS *tls.Config
}

func parse(s broker.Settings) (broker.Config, error) {
	if s.Username != "" || !s.Password.Empty() {
		return nil, errors.New("beanstalkd knows no users and no passwords; remove config.username and config.password, and guard the server by a network policy")
	}
	return Config{Address: net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))), TLS: s.TLS}, nil
}

// Equal is broker.Config's.
func (c Config) Equal(other broker.Config) bool {
	o, ok := other.(Config)
	return ok && c.Address == o.Address && broker.SameTLS(c.TLS, o.TLS)
}
