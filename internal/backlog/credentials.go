package backlog

import (
	"context"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// recheck is the least time between two look-ups of credentials that a broker refuses.
const recheck = 5 * time.Second

// credentials are how a broker is reached, as they were last looked up: a Secret is not read for each connection, or a
// broker that closes each would have the API server asked as often. They are run's alone.
type credentials struct {
	// config is nil before the first look-up, and when its source is gone.
	config broker.Config
	at     time.Time
	// refused is true where the broker did not take them.
	refused bool
}

// isOld reports whether they are to be looked up before the next connection.
func (c *credentials) isOld(now time.Time, interval time.Duration) bool {
	age := now.Sub(c.at)
	return c.config == nil || age >= interval || (c.refused && age >= recheck)
}

// ended takes in why a connection ended.
func (c *credentials) ended(err error) {
	switch broker.ReasonOf(err) {
	case broker.ReasonAuthenticationFailed, broker.ReasonTLSFailed:
		c.refused = true
	}
}

// current are the credentials for the next connection. While they cannot be looked up for a moment, the last hold.
func (s *source) current(ctx context.Context) (broker.Config, error) {
	now := s.options.Clock.Now()
	if !s.known.isOld(now, s.options.CredentialsInterval) {
		return s.known.config, nil
	}
	config, err := s.look(ctx)
	switch {
	case err == nil:
		s.known = credentials{config: config, at: now}
	case s.known.config == nil || broker.Lasting(err):
		s.known = credentials{}
		return nil, err
	}
	return s.known.config, nil
}

// look resolves the address and the credentials.
func (s *source) look(ctx context.Context) (broker.Config, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	return s.resolve(ctx)
}

// credentialsChange returns a channel that gets the credentials when they have changed; none when there are none any
// more. A look-up that fails for a while does not end a connection that works.
func (s *source) credentialsChange(ctx context.Context, current broker.Config) <-chan credentials {
	changed := make(chan credentials, 1)
	s.beside.Go(func() {
		for s.pause(ctx, s.options.Jitter(s.options.CredentialsInterval)) {
			next, err := s.look(ctx)
			switch {
			case err == nil && !next.Equal(current):
				changed <- credentials{config: next, at: s.options.Clock.Now()}
				return
			case broker.Lasting(err):
				changed <- credentials{}
				return
			}
		}
	})
	return changed
}
