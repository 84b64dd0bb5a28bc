package redis

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
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
			return openShared(c, ring, shared)
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
	// Layout is how queues are laid out, and Due which members of a sorted set count.
	Layout Layout
	Due    Due
	// CA has the certificates of the authorities that TLS trusts, where those are not the system's.
	CA string
}

// block is the block of settings that only Redis has.
type block struct {
	Layout Layout `json:"layout"`
	Due    Due    `json:"due"`
}

func parse(s broker.Settings) (broker.Config, error) {
	var o block
	if len(s.Own) > 0 {
		if err := json.Unmarshal(s.Own, &o); err != nil {
			return nil, fmt.Errorf("reading config.redis, %w", err)
		}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return Config{
		Layout: o.Layout, Due: o.Due,
		Address:  net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))),
		Username: s.Username, Password: s.Password, Database: int(s.Database), TLS: s.TLS, CA: s.CA,
	}, nil
}

// Equal is broker.Config's.
func (c Config) Equal(other broker.Config) bool {
	o, ok := other.(Config)
	return ok && c.Address == o.Address && c.Username == o.Username && c.Password.Equal(o.Password) &&
		c.Database == o.Database && c.Layout.is(o.Layout) && c.Due.is(o.Due) && broker.SameTLS(c.TLS, o.TLS)
}

// Server is broker.SharedConfig's.
func (c Config) Server() string {
	server := fmt.Sprintf("redis %s, database %d", c.Address, c.Database)
	if !c.Layout.is(Lists) {
		server += ", " + string(c.Layout) // what is searched for differs
	}
	if c.TLS == nil {
		return server
	}
	return fmt.Sprintf("%s, verified as %s: %t, by %x", server, c.TLS.ServerName, !c.TLS.InsecureSkipVerify, sha256.Sum256([]byte(c.CA)))
}

// Layout is how a queue is laid out; "" is Lists.
type Layout string

// The layouts.
const (
	Lists      Layout = "List"
	Streams    Layout = "Stream"
	SortedSets Layout = "SortedSet"
)

func (l Layout) is(other Layout) bool { return cmp.Or(l, Lists) == cmp.Or(other, Lists) }

// Due says which members of a sorted set are to be done; "" is Always.
type Due string

// What a score may say.
const (
	Always         Due = "Always"
	InSeconds      Due = "Seconds"
	InMilliseconds Due = "Milliseconds"
)

func (d Due) is(other Due) bool { return cmp.Or(d, Always) == cmp.Or(other, Always) }

// check refuses what the API server refuses, too: an older schema may have let it in, or a newer one.
func (o block) check() error {
	switch cmp.Or(o.Layout, Lists) {
	case Lists, Streams, SortedSets:
	default:
		return fmt.Errorf("config.redis.layout is %q; it must be %s, %s or %s", o.Layout, Lists, Streams, SortedSets)
	}
	switch cmp.Or(o.Due, Always) {
	case Always, InSeconds, InMilliseconds:
	default:
		return fmt.Errorf("config.redis.due is %q; it must be %s, %s or %s", o.Due, Always, InSeconds, InMilliseconds)
	}
	if o.Due != "" && o.Layout != SortedSets {
		return fmt.Errorf("config.redis.due is of sorted sets; set config.redis.layout to %s, or remove it", SortedSets)
	}
	return nil
}

// env is what a worker must know beside the address.
func env(s broker.Settings) []broker.Variable {
	if s.Database == 0 {
		return nil
	}
	return []broker.Variable{{Name: contract.EnvBrokerDatabase, Value: strconv.Itoa(int(s.Database))}}
}
