// Package postgres reads queues that are rows of tables in PostgreSQL.
//
//	config.go      the kind, and how a server is reached; env.go what a worker is told
//	statement.go   what is asked: of a table, or by a query of the user's
//	connection.go  one connection, and one read over it; guard.go what a server may send
//	driver.go      how many messages there are; age.go how old they are
//	doorbell.go    what the server notifies of
//	errors.go      what a server's refusals mean
//
// One call of Depths is one round trip, however many queues: a transaction that may not write, in a pipeline. One call of
// OldestAges is a new connection and one round trip. Docs: docs/brokers/postgres.md.
package postgres

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// kindName is the type of a ScalerConfig, and the name of its block.
const kindName = "postgres"

// Kind is PostgreSQL.
func Kind() broker.Kind {
	return broker.Kind{
		Type:  kindName,
		Port:  5432,
		Parse: parse,
		Open:  broker.Opener(Open),
		Env:   env,
		Cadence: broker.Cadence{
			Poll: time.Second, PollAtZero: 250 * time.Millisecond, Safety: 5 * time.Second, Batch: 10 * time.Millisecond,
			// So many take the server about 50 ms.
			Budget: 500,
		},
	}
}

// Config is how to reach a database, and where its queues are.
type Config struct {
	// Host and Port are the server's.
	Host     string
	Port     int32
	Username string
	Password broker.Secret
	// TLS is nil for plain TCP.
	TLS   *tls.Config
	Block sqlqueue.Block
}

// longestName is how many bytes an identifier may have; the server cuts longer ones.
const longestName = 63

// defaultSchema is the one of the table, and where a query finds its tables.
const defaultSchema = "public"

func parse(s broker.Settings) (broker.Config, error) {
	if s.Username == "" {
		return nil, errors.New("config.username is missing; PostgreSQL has no default user")
	}
	block, err := sqlqueue.Parse(s.Own, kindName, longestName)
	if err != nil {
		return nil, err
	}
	if block.Schema == "" {
		block.Schema = defaultSchema
	}
	if block.Query != "" {
		if err := checkParameter(block.Query); err != nil {
			return nil, err
		}
	}
	return Config{Host: s.Host, Port: s.Port, Username: s.Username, Password: s.Password, TLS: s.TLS, Block: block}, nil
}

// Address is host:port.
func (c Config) Address() string { return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) }

// Equal is broker.Config's.
func (c Config) Equal(other broker.Config) bool {
	o, ok := other.(Config)
	return ok && c.Address() == o.Address() && c.Username == o.Username && c.Password.Equal(o.Password) &&
		broker.SameTLS(c.TLS, o.TLS) && c.Block.Equal(o.Block)
}
