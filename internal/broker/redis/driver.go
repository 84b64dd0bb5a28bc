// Package redis reads queues that are Redis lists, by the protocol of worker/redislist.
package redis

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

const (
	dialTimeout = 3 * time.Second
	// replyTimeout is how long a server may take to answer before its connection is given up: a server that
	// hangs, or a firewall that forgets, closes nothing.
	replyTimeout = 3 * time.Second
	// idlePing is how long a connection may be silent before the client makes sure of it.
	idlePing = 15 * time.Second
)

// driver is one multiplexed connection, over which the server also pushes.
type driver struct {
	client  rueidis.Client
	address string
	ring    broker.Doorbell
	// silent is why the server does not push, "" when it does.
	silent string
}

// Open connects to a Redis server. Where it can, the server tells of changed lists by itself: client-side
// caching remembers what this connection has read, and pushes once when one of those keys is written, so
// that an idle queue costs nothing. Where the server refuses, Pushes says so, and the queues are to be polled.
func Open(_ context.Context, e broker.Endpoint, ring broker.Doorbell) (broker.Driver, error) {
	d := &driver{address: e.Address, ring: ring}
	option := rueidis.ClientOption{
		InitAddress:       []string{e.Address},
		Username:          e.Username,
		Password:          e.Password,
		SelectDB:          e.Database,
		TLSConfig:         e.TLS,
		ClientName:        "qscaler",
		ClientSetInfo:     []string{},
		Dialer:            net.Dialer{Timeout: dialTimeout, KeepAlive: idlePing},
		ConnWriteTimeout:  replyTimeout,
		PipelineMultiplex: -1, // one connection
		ForceSingleClient: true,
		DisableRetry:      true, // the backlog decides when to try again
		AlwaysPipelining:  true,
	}
	tracking := option
	// Without OPTIN the server remembers every key that is read.
	tracking.ClientTrackingOptions = []string{"NOLOOP"}
	tracking.OnInvalidations = d.invalidated

	client, err := rueidis.NewClient(tracking)
	if errors.Is(err, rueidis.ErrNoCache) {
		d.silent = "the server refuses CLIENT TRACKING: " + firstLine(err)
		option.DisableCache = true
		client, err = rueidis.NewClient(option)
	}
	if err != nil {
		return nil, classify(err, e.Address)
	}
	d.client = client
	return d, nil
}

// invalidated is the server's push: these keys are not any more as they were read. Without keys, all of
// them, as when the connection was lost.
func (d *driver) invalidated(keys []rueidis.RedisMessage) {
	if len(keys) == 0 {
		d.ring()
		return
	}
	queues := make([]string, 0, len(keys))
	for _, message := range keys {
		key, err := message.ToString()
		if err != nil {
			d.ring()
			return
		}
		queues = append(queues, key)
		if of, _, ok := redislist.QueuesOf(key); ok {
			queues = append(queues, of...)
		}
	}
	d.ring(queues...)
}

func (d *driver) Pushes() (ok bool, why string) { return d.silent == "", d.silent }

func (d *driver) Close() { d.client.Close() }
