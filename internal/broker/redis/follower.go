package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// followInterval is how often Sentinels are asked whether the master is still the same.
const followInterval = 2 * time.Second

// masters says which server is the master. It is used by one goroutine at a time.
type masters interface {
	master(ctx context.Context) (address string, err error)
	close()
}

// follower watches which server is the master, for a connection that goes to one. A master that is taken for dead, and is
// not, goes on to answer for a while, with what nobody works at any more.
type follower struct {
	stop context.CancelFunc
	// failure is why the connection is to be read no more.
	failure atomic.Pointer[error]
}

// openMaster opens the server that is the master. The driver fails once it is another: the next asks anew.
func openMaster(ctx context.Context, c Config, m masters, ring broker.Doorbell, shared *searches) (broker.Driver, error) {
	address, err := m.master(ctx)
	if err != nil {
		return nil, err
	}
	named, err := c.at(address, fmt.Sprintf("the master %q of the Sentinel at %s", c.Sentinel.Master, c.Address))
	if err != nil {
		m.close()
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends with the driver
	f := &follower{stop: stop}
	d, err := openServer(named, f, ring, shared)
	if err != nil {
		stop()
		m.close()
		return nil, err
	}
	go f.watch(watching, m, named, ring)
	return d, nil
}

// watch asks until the master is another one, or the driver is closed. While no Sentinel answers, nothing is known of
// another master, and the server itself says whether it is one.
func (f *follower) watch(ctx context.Context, m masters, c Config, ring broker.Doorbell) {
	defer m.close()
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		address, err := m.master(ctx)
		if err != nil || address == c.Address {
			continue
		}
		failure := broker.Fail(broker.ReasonConnectionLost, at(c), "another server is the master now", nil)
		f.failure.Store(&failure)
		ring()
		return
	}
}

// moved is why the connection is to be read no more, nil while it may be.
func (f *follower) moved() error {
	if f == nil {
		return nil
	}
	if failure := f.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// end ends the watch. A Sentinel that hangs does not hold it up.
func (f *follower) end() {
	if f != nil {
		f.stop()
	}
}

// isNoMaster is why the server is not to be read, by its own word: that it is a replica. A server that is too old to say it
// is asked whether it takes writes.
func (d *driver) isNoMaster(reply rueidis.RedisResult) error {
	says, err := reply.AsMap()
	if err != nil {
		if isAnswer(err) {
			return nil
		}
		return classify(err, d.config)
	}
	role := says["role"]
	word, err := role.ToString()
	if err != nil || word == "master" {
		return nil
	}
	return broker.Fail(broker.ReasonReadOnly, at(d.config), fmt.Sprintf(
		"its role is %q, and not master; Sentinels name another master soon", broker.Words(word, d.config.Password)), nil)
}
