package backlog

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	reconnectBase = 100 * time.Millisecond
	reconnectMax  = 5 * time.Second
	// busyFactor keeps reads that take long from filling the broker's day: after each comes a pause of so
	// many times its length, within the batch window and busyPause.
	busyFactor = 4
	busyPause  = 100 * time.Millisecond
)

// run connects, reads until that fails, and starts over, with a growing pause while nothing succeeds.
func (s *source) run(ctx context.Context) {
	defer s.end()
	defer s.beside.Wait()
	pause := reconnectBase
	for ctx.Err() == nil {
		succeeded, err := s.session(ctx)
		if err == nil {
			continue // the credentials have changed, or it is over
		}
		if succeeded {
			pause = reconnectBase
		}
		if !s.pause(ctx, s.options.Jitter(pause)) {
			return
		}
		pause = min(2*pause, reconnectMax)
	}
}

// session is the life of one connection. It returns nil when there is nothing to wait for before the next.
func (s *source) session(ctx context.Context) (succeeded bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	endpoint, driver, err := s.connect(ctx)
	if err == nil {
		defer driver.Close()
		s.setDriver(driver)
		defer s.setDriver(nil)
		succeeded, err = s.readOn(ctx, driver, s.credentialsChange(ctx, endpoint))
	}
	if err == nil || ctx.Err() != nil {
		return succeeded, nil
	}
	s.fail(err) // before Close, which may take its time with a broker that hangs
	return succeeded, err
}

func (s *source) connect(ctx context.Context) (broker.Endpoint, broker.Driver, error) {
	endpoint, err := s.look(ctx)
	if err != nil {
		return endpoint, nil, err
	}
	driver, err := s.options.Open(ctx, endpoint, s.ring)
	return endpoint, driver, err
}

// look resolves the address and the credentials.
func (s *source) look(ctx context.Context) (broker.Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	return s.resolve(ctx)
}

// credentialsChange returns a channel that is closed when the credentials are not any more what they were, or
// are no more. That they cannot be looked up for a while is no reason to give up a connection that works.
func (s *source) credentialsChange(ctx context.Context, current broker.Endpoint) <-chan struct{} {
	changed := make(chan struct{})
	s.beside.Go(func() {
		for s.pause(ctx, s.options.Jitter(s.options.CredentialsInterval)) {
			next, err := s.look(ctx)
			if (err == nil && !next.Equal(current)) || broker.Lasting(err) {
				close(changed)
				return
			}
		}
	})
	return changed
}

// readOn reads what is rung, and everything now and then, until that fails (an error), or until the
// connection is to be made anew or ended (none).
func (s *source) readOn(ctx context.Context, driver broker.Driver, changed <-chan struct{}) (succeeded bool, err error) {
	clk := s.options.Clock
	all := clk.NewTimer(0) // when every queue is to be read, rung or not
	defer all.Stop()
	var due time.Time
	for {
		select {
		case <-ctx.Done():
			return succeeded, nil
		case <-changed:
			return succeeded, nil
		case <-all.C():
		case <-s.kick:
		}
		// Others go first who are about to mark more, such as a doorbell that rings for many queues: it goes into this read.
		if !s.pause(ctx, 0) {
			return succeeded, nil
		}
		began := clk.Now()
		if !began.Before(due) {
			s.ringAll()
			interval := s.options.Jitter(s.interval(driver))
			due = began.Add(interval)
			all.Reset(interval)
		}
		if err := s.read(ctx, driver); err != nil {
			return succeeded, err
		}
		succeeded = true
		if !s.pause(ctx, s.rest(clk.Since(began))) {
			return succeeded, nil
		}
		s.huntStrays(ctx, driver)
	}
}

func (s *source) interval(d broker.Driver) time.Duration {
	if pushes, _ := d.Pushes(); pushes {
		return s.options.SafetyInterval
	}
	return s.options.PollInterval
}

// rest is how long to wait after a read that took so long.
func (s *source) rest(took time.Duration) time.Duration {
	return max(s.options.BatchWindow-took, min(busyFactor*took, busyPause))
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
