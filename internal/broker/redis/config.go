package redis

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
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
		Type:      "redis",
		Port:      6379,
		PortOf:    portOf,
		MorePorts: []int32{sentinelPort},
		Parse:     parse,
		Open: broker.Opener(func(ctx context.Context, c Config, ring broker.Doorbell) (broker.Driver, error) {
			return openShared(ctx, c, ring, shared)
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
	// Sentinel says which master is asked for; the Address is that of the Sentinels then. The zero Sentinel is none.
	Sentinel Sentinel
	// Cluster is true where the Address is a node of a Redis Cluster.
	Cluster bool
	// ServerName is the name that each certificate is to have, "" for that of the host which was dialled.
	ServerName string
	// allows reports whether a host may be dialled that a server names; nil allows all.
	allows func(host string) bool
	// namedBy says who has named the Address, "" where the ScalerConfig does.
	namedBy string
}

// Sentinel is how a master is found by Redis Sentinel.
type Sentinel struct {
	// Master is its name there.
	Master string
	// Username and Password are for the Sentinels themselves.
	Username string
	Password broker.Secret
}

// sentinelPort is the usual port of a Sentinel.
const sentinelPort = 26379

// block is the block of settings that only Redis has.
type block struct {
	Layout   Layout         `json:"layout"`
	Due      Due            `json:"due"`
	Sentinel *sentinelBlock `json:"sentinel"`
	Cluster  bool           `json:"cluster"`
}

type sentinelBlock struct {
	Master   string `json:"master"`
	Username string `json:"username"`
}

func blockOf(s broker.Settings) (o block, err error) {
	if len(s.Own) > 0 {
		if err := json.Unmarshal(s.Own, &o); err != nil {
			return o, fmt.Errorf("reading config.redis, %w", err)
		}
	}
	return o, o.check()
}

func parse(s broker.Settings) (broker.Config, error) {
	o, err := blockOf(s)
	if err != nil {
		return nil, err
	}
	c := Config{
		Layout: o.Layout, Due: o.Due,
		Address:  net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))),
		Username: s.Username, Password: s.Password, Database: int(s.Database), TLS: s.TLS, CA: s.CA,
		ServerName: s.ServerName, allows: s.Allows, Cluster: o.Cluster,
	}
	if c.Cluster && c.Database != 0 {
		return nil, errors.New("a Redis Cluster has one database, number 0; remove config.database, or config.redis.cluster")
	}
	if o.Sentinel != nil {
		c.Sentinel = Sentinel{Master: o.Sentinel.Master, Username: o.Sentinel.Username, Password: s.OwnPassword}
	}
	return c, nil
}

// portOf is the port that settings without one mean, where it is another than that of a server.
func portOf(s broker.Settings) int32 {
	if o, err := blockOf(s); err == nil && o.Sentinel != nil {
		return sentinelPort
	}
	return 0
}

// at is how a server is reached at an address that another one has named, where that may be dialled.
func (c Config) at(address, namedBy string) (Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return c, err
	}
	if c.allows != nil && !c.allows(host) {
		return c, broker.Fail(broker.ReasonHostNotAllowed, at(c), fmt.Sprintf(
			"%s has the host %q, which the operator may not dial, as it is not among those of its flag --allowed-broker-hosts; ask who runs the operator to add it",
			namedBy, broker.Words(host, c.Password)), nil)
	}
	c.Address, c.namedBy = address, namedBy
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		c.TLS.ServerName = cmp.Or(c.ServerName, host)
	}
	return c, nil
}

// Equal is broker.Config's.
func (c Config) Equal(other broker.Config) bool {
	o, ok := other.(Config)
	return ok && c.Address == o.Address && c.Username == o.Username && c.Password.Equal(o.Password) &&
		c.Database == o.Database && c.Layout.is(o.Layout) && c.Due.is(o.Due) && broker.SameTLS(c.TLS, o.TLS) &&
		c.ServerName == o.ServerName && c.Sentinel.equal(o.Sentinel) && c.Cluster == o.Cluster
}

func (s Sentinel) equal(o Sentinel) bool {
	return s.Master == o.Master && s.Username == o.Username && s.Password.Equal(o.Password)
}

// Server is broker.SharedConfig's.
func (c Config) Server() string {
	server := fmt.Sprintf("redis %s, database %d", c.Address, c.Database)
	if c.Sentinel.Master != "" {
		server += ", master " + c.Sentinel.Master
	}
	if c.Cluster {
		server += ", cluster"
	}
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
	if o.Sentinel != nil && o.Cluster {
		return errors.New("config.redis has sentinel and cluster, and a Redis Cluster has no Sentinels; remove one")
	}
	if o.Sentinel != nil && o.Sentinel.Master == "" {
		return errors.New("config.redis.sentinel has no master; set config.redis.sentinel.master to the name that the Sentinels have for it")
	}
	return nil
}

// env is what a worker must know beside the address.
func env(s broker.Settings) (variables []broker.Variable) {
	if s.Database != 0 {
		variables = append(variables, broker.Variable{Name: contract.EnvBrokerDatabase, Value: strconv.Itoa(int(s.Database))})
	}
	o, err := blockOf(s)
	if err != nil {
		return variables // the operator cannot reach it either, and says so
	}
	if o.Sentinel != nil {
		variables = append(variables,
			broker.Variable{Name: contract.EnvRedisSentinelMaster, Value: o.Sentinel.Master},
			broker.Variable{Name: contract.EnvRedisSentinelPassword, OwnPassword: true})
		if o.Sentinel.Username != "" {
			variables = append(variables, broker.Variable{Name: contract.EnvRedisSentinelUsername, Value: o.Sentinel.Username})
		}
	}
	if o.Cluster {
		variables = append(variables, broker.Variable{Name: contract.EnvRedisCluster, Value: "true"})
	}
	return variables
}
