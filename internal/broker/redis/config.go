package redis

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/contract"
)

// Kind is Redis, and whatever speaks like it.
func Kind() broker.Kind {
	shared := newSearches()
	return broker.Kind{
		Type:  "redis",
		Port:  6379,
		Parse: parse,
		Open: broker.Opener(func(_ context.Context, c Config, ring broker.Doorbell) (broker.Driver, error) {
			return openLists(c, ring, shared)
		}),
		Env: env,
		Cadence: broker.Cadence{
			Poll: time.Second, Safety: 5 * time.Second, Batch: 10 * time.Millisecond,
			// Ten thousand queues, or one with as many workers, are not to hold up the server's other clients.
			Budget: 2000, Cost: func(q broker.Query) int { return 1 + len(q.Workers) },
		},
	}
}

// Config is how to reach a Redis server.
type Config struct {
	// Address is host:port.
	Address  string
	Username string
	Password broker.Secret
	// Database is the number of the database.
	Database int
	// TLS is nil for plain TCP.
	TLS *tls.Config
	// CA has the certificates of the authorities that TLS trusts, where those are not the system's.
	CA string
}

func parse(s broker.Settings) (broker.Config, error) {
	return Config{
		Address:  net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))),
		Username: s.Username, Password: s.Password, Database: int(s.Database), TLS: s.TLS, CA: s.CA,
	}, nil
}

// Equal is broker.Config's.
func (c Config) Equal(other broker.Config) bool {
	o, ok := other.(Config)
	return ok && c.Address == o.Address && c.Username == o.Username && c.Password.Equal(o.Password) &&
		c.Database == o.Database && broker.SameTLS(c.TLS, o.TLS)
}

// Server is broker.SharedConfig's.
func (c Config) Server() string {
	server := fmt.Sprintf("redis %s, database %d", c.Address, c.Database)
	if c.TLS == nil {
		return server
	}
	return fmt.Sprintf("%s, verified as %s: %t, by %x", server, c.TLS.ServerName, !c.TLS.InsecureSkipVerify, sha256.Sum256([]byte(c.CA)))
}

// env is what a worker must know beside the address.
func env(s broker.Settings) []broker.Variable {
	if s.Database == 0 {
		return nil
	}
	return []broker.Variable{{Name: contract.EnvBrokerDatabase, Value: strconv.Itoa(int(s.Database))}}
}
