// Package mysql reads queues that are rows of tables in MySQL and MariaDB.
//
//	config.go      the kind, and how a server is reached; env.go what a worker is told
//	greeting.go    the first words of a connection, and TLS
//	guard.go       what a server may send; packets.go the parts of that
//	connection.go  one connection, and one read over it
//	columns.go     what the columns of a table are
//	statement.go   what is asked: of a table, or by a query of the user's
//	driver.go      how many messages there are; age.go how old they are
//	errors.go      what a server's refusals mean
//
// One call of Depths is one round trip for a table, however many queues, and four for a query of the user's. The first call
// for a number of queues takes one more: the statement is prepared. One call of OldestAges is a new connection. Docs:
// docs/brokers/mysql.md.
package mysql

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// kindName is the type of a ScalerConfig, and the name of its block.
const kindName = "mysql"

// Kind is MySQL and MariaDB.
func Kind() broker.Kind {
	return broker.Kind{
		Type:  kindName,
		Port:  3306,
		Parse: parse,
		Open:  broker.Opener(Open),
		Env:   env,
		Cadence: broker.Cadence{
			Poll: time.Second, PollAtZero: 250 * time.Millisecond, Safety: 5 * time.Second, Batch: 10 * time.Millisecond,
			// So many take the server about 50 ms.
			Budget: 100,
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

// longestName is how many bytes an identifier may have.
const longestName = 64

func parse(s broker.Settings) (broker.Config, error) {
	if s.Username == "" {
		return nil, errors.New("config.username is missing; MySQL has no default user")
	}
	block, err := sqlqueue.Parse(s.Own, kindName, longestName)
	if err != nil {
		return nil, err
	}
	// The protocol ends both by a NUL.
	if strings.Contains(block.Database+s.Username, "\x00") {
		return nil, errors.New("config.mysql.database and config.username may have no NUL")
	}
	if block.Query != "" {
		if err := checkParameters(block.Query); err != nil {
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
