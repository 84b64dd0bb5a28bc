package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	// mostSentinels is how many addresses of one name are tried.
	mostSentinels = 16
	// oneOfManyTimeout is how long one of several Sentinels may take until it is connected: another may answer at once.
	oneOfManyTimeout = time.Second
	// smallBuffer and smallRing are for a connection on which one short question is asked at a time.
	smallBuffer = 4 << 10
	smallRing   = 2
)

// sentinels asks Sentinels which server is the master, one at a time. It keeps the connection to the one that answered last.
type sentinels struct {
	config Config
	client rueidis.Client
}

func newSentinels(c Config) *sentinels {
	return &sentinels{config: Config{
		Address: c.Address, TLS: c.TLS, Username: c.Sentinel.Username, Password: c.Sentinel.Password, Sentinel: c.Sentinel,
		namedBy: ofSentinel,
	}}
}

// ofSentinel marks the configuration of a Sentinel. The library makes no other connection by itself.
const ofSentinel = "the ScalerConfig"

func (c Config) isSentinel() bool { return c.namedBy == ofSentinel }

// master is the address of the master, by the first Sentinel that knows it.
func (s *sentinels) master(ctx context.Context) (address string, err error) {
	if s.client != nil {
		if address, err = s.ask(ctx); err == nil {
			return address, nil
		}
		s.close()
	}
	addresses, err := s.addresses(ctx)
	if err != nil {
		return "", classify(err, s.config)
	}
	var failure error
	for _, at := range addresses {
		if address, err = s.askAt(ctx, at, len(addresses)); err == nil {
			return address, nil
		}
		// What a Sentinel has said tells more than that another does not answer.
		if failure == nil || (broker.IsUnanswered(failure) && !broker.IsUnanswered(err)) {
			failure = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return "", failure
}

// addresses are those that the host of the Sentinels has, in an order of luck: one that knows less than the others is not
// always the first.
func (s *sentinels) addresses(ctx context.Context) ([]string, error) {
	host, port, err := net.SplitHostPort(s.config.Address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	hosts = hosts[:min(len(hosts), mostSentinels)]
	for i, host := range hosts {
		hosts[i] = net.JoinHostPort(host, port)
	}
	return hosts, nil
}

// askAt asks the Sentinel at one of several addresses.
func (s *sentinels) askAt(ctx context.Context, at string, of int) (address string, err error) {
	r := &reach{config: s.config}
	option := r.polled()
	option.InitAddress = []string{at}
	option.ReadBufferEachConn, option.WriteBufferEachConn, option.RingScaleEachConn = smallBuffer, smallBuffer, smallRing
	if of > 1 {
		option.Dialer.Timeout = oneOfManyTimeout
	}
	option.DialCtxFn = func(dialling context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		dialling, cancel := context.WithCancel(dialling)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return r.dialer.dial(dialling, address, dialer, config)
	}
	if s.client, err = connect(option); err == nil {
		if address, err = s.ask(ctx); err == nil {
			return address, nil
		}
	} else {
		err = classify(err, s.config)
	}
	s.close()
	return "", err
}

// hostName is what the host of a server may be made of.
var hostName = regexp.MustCompile(`^[0-9A-Za-z._:-]{1,253}$`)

// ask asks the Sentinel that is connected.
func (s *sentinels) ask(ctx context.Context) (address string, err error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	name := s.config.Sentinel.Master
	named, err := s.client.Do(ctx, s.client.B().SentinelGetMasterAddrByName().Master(name).Build()).AsStrSlice()
	switch {
	case rueidis.IsRedisNil(err):
		return "", broker.Fail(broker.ReasonMasterNotFound, at(s.config), fmt.Sprintf(
			"it knows no master %q; set config.redis.sentinel.master to one of the names that SENTINEL MASTERS lists there", name), err)
	case err != nil:
		return "", classify(err, s.config)
	}
	address, err = addressOf(named)
	if err != nil {
		return "", broker.Fail(broker.ReasonUnknown, at(s.config), err.Error(), err)
	}
	return address, nil
}

// addressOf is the address that the two words of an answer are.
func addressOf(named []string) (string, error) {
	if len(named) != 2 || !hostName.MatchString(named[0]) {
		return "", errors.New("it names the master in a way that Sentinels do not")
	}
	if port, err := strconv.Atoi(named[1]); err != nil || port < 1 || port > 65535 {
		return "", errors.New("it names a port of the master that cannot be")
	}
	return net.JoinHostPort(named[0], named[1]), nil
}

func (s *sentinels) close() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}
