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
	// bufferSize and ringScale (a power of two) are for a batch at a time. The client's own defaults take
	// more than 1 MiB for each connection, which is too much for an operator with hundreds of ScalerConfigs.
	bufferSize = 32 << 10
	ringScale  = 8
)

// driver is one multiplexed connection, over which the server also pushes.
type driver struct {
	client   rueidis.Client
	endpoint broker.Endpoint
	ring     broker.Doorbell
	// silent is why the server does not push, "" when it does.
	silent   string
	writable writable
}

// Open connects to a Redis server. Where it can, the server tells of changed lists by itself: client-side
// caching remembers what this connection has read, and pushes once when one of those keys is written, so
// that an idle queue costs nothing. Where the server refuses, Pushes says so, and the queues are to be polled.
func Open(_ context.Context, e broker.Endpoint, ring broker.Doorbell) (broker.Driver, error) {
	d := &driver{endpoint: e, ring: ring}
	client, err := connect(d.pushed())
	if errors.Is(err, rueidis.ErrNoCache) {
		d.silent = refusal(err, e)
		client, err = connect(d.polled())
	}
	if err != nil {
		return nil, classify(err, e)
	}
	d.client = client
	return d, nil
}

// polled is a connection that is only asked.
func (d *driver) polled() rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress:       []string{d.endpoint.Address},
		Username:          d.endpoint.Username,
		Password:          d.endpoint.Password,
		SelectDB:          d.endpoint.Database,
		TLSConfig:         d.endpoint.TLS,
		ClientSetInfo:     []string{},
		Dialer:            net.Dialer{Timeout: dialTimeout, KeepAlive: idlePing},
		DialCtxFn:         dialGuarded,
		ConnWriteTimeout:  replyTimeout,
		ForceSingleClient: true,
		DisableRetry:      true, // the backlog decides when to try again
		AlwaysPipelining:  true,
		DisableCache:      true,
		// One connection, also for a long pipeline: the client would take another for those.
		PipelineMultiplex:  -1,
		BlockingPipeline:   -1,
		ReadBufferEachConn: bufferSize, WriteBufferEachConn: bufferSize, RingScaleEachConn: ringScale,
	}
}

// pushed is a connection over which the server also tells what has changed.
func (d *driver) pushed() rueidis.ClientOption {
	option := d.polled()
	// Only here: a proxy that knows no TRACKING may not know SETNAME either.
	option.ClientName = "qscaler"
	option.DisableCache = false
	// Without OPTIN the server remembers every key that is read.
	option.ClientTrackingOptions = []string{"NOLOOP"}
	option.OnInvalidations = d.invalidated
	return option
}

// connect closes what the client library returns beside an error.
func connect(o rueidis.ClientOption) (rueidis.Client, error) {
	client, err := rueidis.NewClient(o)
	if err == nil {
		return client, nil
	}
	if client != nil {
		client.Close()
	}
	return nil, err
}

// refusal is why the server does not push.
func refusal(err error, e broker.Endpoint) string {
	if err == rueidis.ErrNoCache { //nolint:errorlint // bare, it says that the protocol itself was refused
		return "the server does not speak the protocol RESP3, which client-side caching needs (Redis 6 or newer does)"
	}
	return "the server refuses CLIENT TRACKING: " + said(err, e)
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
		queues = append(queues, redislist.QueuesOfDelayed(key)...)
	}
	d.ring(queues...)
}

func (d *driver) Pushes() (ok bool, why string) { return d.silent == "", d.silent }

func (d *driver) Close() { d.client.Close() }
