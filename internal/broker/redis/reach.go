package redis

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
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

// reach is the way to a server: one multiplexed connection, over which the server also pushes where it can.
type reach struct {
	config Config
	client rueidis.Client
	// dialer makes the connections of the client.
	dialer *redial
	// silent is why the server does not push, "" when it does.
	silent string
}

// dial connects. Where it can, the server tells of changed keys by itself: client-side caching remembers what this
// connection has read, and pushes once when one of those keys is written, so that an idle queue costs nothing. Where
// the server refuses, silent says so.
func dial(c Config, invalidated func([]rueidis.RedisMessage)) (*reach, error) {
	r := &reach{config: c}
	client, err := connect(r.pushed(invalidated))
	if errors.Is(err, rueidis.ErrNoCache) {
		r.silent = noPushes(err, c)
		client, err = connect(r.polled())
	}
	if err != nil {
		return nil, classify(err, c)
	}
	r.client = client
	return r, nil
}

// ping makes sure that the server answers. A user who may not PING is answered, too.
func (r *reach) ping(ctx context.Context) error {
	failure := classify(r.client.Do(ctx, r.client.B().Ping().Build()).Error(), r.config)
	if failure != nil && broker.ReasonOf(failure) == broker.ReasonPermissionDenied {
		return nil
	}
	return failure
}

// polled is a connection that is only asked.
func (r *reach) polled() rueidis.ClientOption {
	r.dialer = &redial{once: r.config.namedBy != "" || r.config.Cluster}
	return rueidis.ClientOption{
		InitAddress:       []string{r.config.Address},
		Username:          r.config.Username,
		Password:          r.config.Password.Reveal(),
		SelectDB:          r.config.Database,
		TLSConfig:         r.config.TLS,
		ClientSetInfo:     []string{},
		Dialer:            net.Dialer{Timeout: dialTimeout, KeepAlive: idlePing},
		DialCtxFn:         r.dialer.dial,
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
func (r *reach) pushed(invalidated func([]rueidis.RedisMessage)) rueidis.ClientOption {
	option := r.polled()
	// Only here: a proxy that knows no TRACKING may not know SETNAME either.
	option.ClientName = "qscaler"
	option.DisableCache = false
	// Without OPTIN the server remembers every key that is read.
	option.ClientTrackingOptions = []string{"NOLOOP"}
	option.OnInvalidations = invalidated
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

// noPushes is why the server does not push.
func noPushes(err error, c Config) string {
	if err == rueidis.ErrNoCache { //nolint:errorlint // bare, it says that the protocol itself was refused
		return "the server does not speak the protocol RESP3, which client-side caching needs (Redis 6 or newer does)"
	}
	return "the server refuses CLIENT TRACKING: " + said(err, c)
}
