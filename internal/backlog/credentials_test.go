package backlog

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/quickube/qscaler/internal/broker"
)

// named is a Config that says nothing of what it reaches.
type named string

func (n named) Equal(other broker.Config) bool { return n == other }

// forGood is a failure that stays until a person changes something.
type forGood struct{ error }

func (forGood) Lasting() bool { return true }

// When credentials are looked up for the next connection, and which hold while they cannot be.
func TestTheCredentialsOfTheNextConnection(t *testing.T) {
	const interval = time.Minute
	refused := &broker.Error{Reason: broker.ReasonAuthenticationFailed}
	badTLS := &broker.Error{Reason: broker.ReasonTLSFailed}
	away := errors.New("the API server does not answer")
	missing := forGood{errors.New("there is no Secret")}
	type connection struct {
		after    time.Duration // the one before
		found    any           // what a look-up finds: a Config or an error
		want     any           // what the connection gets: a Config or an error
		lookedUp bool
		ended    error // why the connection ended
	}
	for name, connections := range map[string][]connection{
		"they are new each minute": {
			{0, named("one"), named("one"), true, nil},
			{interval - 1, named("two"), named("one"), false, nil},
			{1, named("two"), named("two"), true, nil},
			{interval - 1, named("three"), named("two"), false, nil},
		},
		"they are new five seconds after the last look-up where the broker refuses them": {
			{0, named("one"), named("one"), true, refused},
			{recheck - 1, named("two"), named("one"), false, refused},
			{1, named("two"), named("two"), true, nil},
			{recheck, named("three"), named("two"), false, nil},
		},
		"they are new too where TLS fails": {
			{0, named("one"), named("one"), true, badTLS},
			{recheck, named("two"), named("two"), true, nil},
		},
		"another end says nothing of them": {
			{0, named("one"), named("one"), true, away},
			{recheck, named("two"), named("one"), false, nil},
		},
		"a refusal is remembered until the look-up": {
			{0, named("one"), named("one"), true, refused},
			{1, named("two"), named("one"), false, away},
			{recheck, named("two"), named("two"), true, nil},
		},
		"the last hold while nobody answers": {
			{0, named("one"), named("one"), true, nil},
			{interval, away, named("one"), true, nil},
			{1, away, named("one"), true, nil},
			{1, named("two"), named("two"), true, nil},
		},
		"there are none before the first answer": {
			{0, away, away, true, nil},
			{0, named("one"), named("one"), true, nil},
		},
		"there are none any more once it is said that they are gone": {
			{0, named("one"), named("one"), true, nil},
			{interval, missing, missing, true, nil},
			{1, away, away, true, nil},
			{1, named("two"), named("two"), true, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clk := clocktesting.NewFakeClock(time.Unix(1e9, 0))
			var found any
			lookUps := 0
			s := newSource(Source{Resolve: func(context.Context) (broker.Config, error) {
				lookUps++
				config, _ := found.(broker.Config)
				err, _ := found.(error)
				return config, err
			}}, "1", Options{Clock: clk, CredentialsInterval: interval, ReadTimeout: time.Hour}, nil)
			for i, c := range connections {
				clk.Step(c.after)
				found = c.found
				before := lookUps
				config, err := s.current(t.Context())
				got := any(config)
				if err != nil {
					got = err
				}
				if got != c.want || (lookUps > before) != c.lookedUp {
					t.Errorf("connection %d: %v after %d look-ups, want %v; looked up: %t", i, got, lookUps-before, c.want, c.lookedUp)
				}
				s.known.ended(c.ended)
			}
		})
	}
}

// shared is a Config of a broker whose keys can be searched once for all.
type shared struct{ named }

func (s shared) Server() string { return "server " + string(s.named) }

// reclaimingDriver is a driver that keeps messages by worker; nothing of it is called.
type reclaimingDriver struct {
	broker.Driver
	broker.Reclaimer
}

// Whose keys a source sees is known by its claim, where the broker keeps messages by worker.
func TestWhatASourceSees(t *testing.T) {
	denied := &broker.Error{Reason: broker.ReasonPermissionDenied}
	changed := time.Unix(1e9, 0)
	ours := tenure{ours: true, mark: "7"}
	for name, c := range map[string]struct {
		source  *source
		want    Server
		awaited bool
	}{
		"nothing is watched":                          {nil, Server{}, false},
		"there is no connection":                      {&source{}, Server{Keys: "source x"}, false},
		"the broker keeps no messages by worker":      {&source{driver: struct{ broker.Driver }{}, tenure: ours, config: shared{"a"}}, Server{Keys: "source x"}, false},
		"the claim is ours":                           {&source{driver: reclaimingDriver{}, tenure: ours, config: shared{"a"}, changed: changed}, Server{Keys: "server a, mark 7", Changed: changed}, false},
		"the claim is ours, and nobody can share":     {&source{driver: reclaimingDriver{}, tenure: ours, config: named("a")}, Server{Keys: "source x"}, false},
		"the claim is awaited":                        {&source{driver: reclaimingDriver{}, config: shared{"a"}, changed: changed}, Server{Changed: changed}, true},
		"the claim is refused":                        {&source{driver: reclaimingDriver{}, tenure: tenure{err: denied}, config: shared{"a"}}, Server{Obstacle: denied}, true},
		"the claim is refused where nobody can share": {&source{driver: reclaimingDriver{}, tenure: tenure{err: denied}, config: named("a")}, Server{Obstacle: denied}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(Options{})
			if c.source != nil {
				b.sources["x"] = c.source
			}
			if diff := cmp.Diff(c.want, b.Server("x"), cmp.Comparer(errors.Is)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c.source != nil && c.source.claimAwaited != c.awaited {
				t.Errorf("somebody awaits the claim: %t, want %t", c.source.claimAwaited, c.awaited)
			}
		})
	}
}
