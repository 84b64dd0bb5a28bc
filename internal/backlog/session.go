package backlog

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/quickube/qscaler/internal/backoff"
	"github.com/quickube/qscaler/internal/broker"
)

// reconnect is the pause before the next connection.
var reconnect = backoff.Policy{First: 100 * time.Millisecond, Longest: 5 * time.Second}

const (
	// busyFactor keeps reads that take long from filling the broker's day: after each comes a pause of so
	// many times its length, within the batch window and busyPause.
	busyFactor = 4
	busyPause  = 100 * time.Millisecond
)

// run connects, reads until that fails, and starts over, with a pause that grows until a connection has lasted.
func (s *source) run(ctx context.Context) {
	defer s.end()
	defer s.beside.Wait()
	pause := time.Duration(0)
	for ctx.Err() == nil {
		answered, err := s.session(ctx)
		if err == nil {
			continue // the credentials have changed, or it is over
		}
		// One good answer is not enough: a broker that answers once and closes would be dialled ten times a second.
		if answered >= reconnect.Longest {
			pause = 0
		}
		pause = reconnect.Next(pause)
		s.pause(ctx, s.options.Jitter(pause))
	}
}

// session is the life of one connection. It returns why that failed and for how long the broker had answered, or no
// error where there is nothing to wait for before the next.
func (s *source) session(ctx context.Context) (answered time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	config, driver, err := s.connect(ctx)
	if err == nil {
		defer driver.Close()
		s.setDriver(ctx, config, driver)
		defer s.unsetDriver()
		s.keepClaim(ctx, driver)
		s.keepInspecting(ctx, driver)
		s.keepAges(ctx, driver)
		s.keepRedeliveries(ctx, driver)
		err = s.readOn(ctx, driver, s.credentialsChange(ctx, config))
	}
	if err == nil || ctx.Err() != nil {
		return 0, nil
	}
	s.known.ended(err)
	return s.fail(err), err // before Close, which may take its time with a broker that hangs
}

func (s *source) connect(ctx context.Context) (config broker.Config, driver broker.Driver, err error) {
	if config, err = s.current(ctx); err != nil {
		return nil, nil, err
	}
	defer contain(&err)
	driver, err = s.kind.Open(ctx, config, s.ring)
	return config, driver, err
}

// readOn reads what is rung, and everything now and then, until that fails (an error), or until the
// connection is to be made anew or ended (none).
func (s *source) readOn(ctx context.Context, driver broker.Driver, changed <-chan credentials) error {
	clk := s.options.Clock
	timer := clk.NewTimer(0) // when queues are to be read, rung or not
	defer timer.Stop()
	var due polls
	for {
		select {
		case <-ctx.Done():
			return nil
		case s.known = <-changed:
			return nil
		case <-timer.C():
		case <-s.kick:
		}
		// Others go first who are about to mark more, such as a doorbell that rings for many queues: it goes into this read.
		if !s.pause(ctx, 0) {
			return nil
		}
		began := clk.Now()
		if next := s.poll(&due, driver, began); next > 0 {
			timer.Reset(next)
		}
		if err := s.read(ctx, driver); err != nil {
			return err
		}
		if !s.pause(ctx, s.rest(clk.Since(began))) {
			return nil
		}
	}
}

// rest is how long to wait after a read that took so long.
func (s *source) rest(took time.Duration) time.Duration {
	return max(s.cadence.Batch-took, min(busyFactor*took, busyPause))
}

// pause waits, and reports whether there is a point in going on.
func (s *source) pause(ctx context.Context, d time.Duration) bool {
	timer := s.options.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C():
		return true
	}
}

// jitter is the default of Options.Jitter.
func jitter(d time.Duration) time.Duration {
	return d*9/10 + time.Duration(rand.Int64N(int64(d)/5+1))
}
