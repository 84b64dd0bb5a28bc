package backlog_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
)

// flapper is a broker that answers so many reads of each connection, and counts what is done to it.
type flapper struct {
	mu       sync.Mutex
	answers  int
	rings    bool // when it has closed a connection
	refuses  error
	password string // that is taken, any where it is empty
	dialled  int
	lookedUp int
}

func (f *flapper) kind() broker.Kind {
	return broker.Kind{
		Open: func(_ context.Context, c broker.Config, ring broker.Doorbell) (broker.Driver, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.dialled++
			if f.refuses != nil && (f.password == "" || c.(redis.Config).Password.Reveal() != f.password) {
				return nil, f.refuses
			}
			return &flap{of: f, left: f.answers, ring: ring}, nil
		},
		Cadence: broker.Cadence{Poll: time.Second},
	}
}

type flap struct {
	of   *flapper
	left int
	ring broker.Doorbell
}

func (d *flap) Depths(_ context.Context, queries []broker.Query) ([]broker.Answer, error) {
	d.of.mu.Lock()
	gone := d.of.answers == 0
	d.of.mu.Unlock()
	if gone || d.left == 0 {
		return nil, io.EOF
	}
	if d.left--; d.left == 0 && d.of.rings {
		d.ring()
	}
	answers := make([]broker.Answer, len(queries))
	for i := range answers {
		answers[i].Depth.Waiting = broker.CountOf(1)
	}
	return answers, nil
}

func (*flap) Close() {}

// A broker that answers once and closes is dialled as rarely as one that does not answer, and its credentials are looked
// up once a minute, or when it refuses them.
func TestABrokerThatCloses(t *testing.T) {
	refusal := &broker.Error{Reason: broker.ReasonAuthenticationFailed, Message: "no"}
	for name, c := range map[string]struct {
		broker   *flapper
		minutes  time.Duration
		dialled  int
		lookedUp int
	}{
		// Connections last 0 s, and the pauses between them are 0.1, 0.2, 0.4, ... 3.2 and then 5 s.
		"once it has answered": {&flapper{answers: 1, rings: true}, 1, 17, 1},
		// Connections last 1 s.
		"a second later": {&flapper{answers: 1}, 1, 14, 1},
		// The pause begins anew each time that reads have succeeded for 5 s.
		"after a while":                   {&flapper{answers: 6}, 1, 10, 1},
		"before it answers":               {&flapper{refuses: errors.New("no")}, 1, 17, 1},
		"for ten minutes":                 {&flapper{answers: 1, rings: true}, 10, 125, 10},
		"because of the credentials":      {&flapper{refuses: refusal}, 1, 17, 12},
		"because of them for ten minutes": {&flapper{refuses: refusal}, 10, 125, 120},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{Jitter: exactly}, func(t *testing.T, b *bubble) {
				x := c.broker
				x.watch(b, func() broker.Config { return redis.Config{} })
				wait(c.minutes*time.Minute - time.Millisecond)
				x.mu.Lock()
				defer x.mu.Unlock()
				if diff := cmp.Diff([]int{c.dialled, c.lookedUp}, []int{x.dialled, x.lookedUp}); diff != "" {
					t.Errorf("connections, and look-ups (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// watch has a queue watched, with the credentials that look returns.
func (f *flapper) watch(b *bubble, look func() broker.Config) {
	b.byName.Watch("a", backlog.Watch{Query: broker.Query{Queue: "q"}, Source: backlog.Source{
		ID: "flapper", Kind: f.kind(),
		Resolve: func(context.Context) (broker.Config, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.lookedUp++
			return look(), nil
		},
	}})
}

// A new password works within 11 s of its refusal, whichever of the Secret and the broker comes first.
func TestANewPasswordIsPickedUpSoon(t *testing.T) {
	for name, secretComes := range map[string]time.Duration{
		"before the broker":                     -time.Second,
		"a moment after":                        50 * time.Millisecond,
		"when it was refused for a minute":      time.Minute,
		"when it was refused for a long minute": time.Minute + 4*time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, backlog.Options{}, func(t *testing.T, b *bubble) {
				x := &flapper{answers: 1 << 30, password: "old"}
				secret := "old"
				x.watch(b, func() broker.Config { return redis.Config{Password: broker.NewSecret(secret)} })
				wait(70 * time.Second)
				change := func() { x.mu.Lock(); secret = "new"; x.mu.Unlock() }
				if secretComes < 0 {
					change()
					wait(-secretComes)
				}
				x.mu.Lock()
				x.answers, x.password = 0, "new"
				x.refuses = &broker.Error{Reason: broker.ReasonAuthenticationFailed, Message: "no"}
				x.mu.Unlock()
				wait(2 * time.Second) // the next poll finds that its connection is gone
				if secretComes > 0 {
					wait(secretComes)
					change()
				}
				x.mu.Lock()
				x.answers = 1 << 30
				x.mu.Unlock()
				wait(11 * time.Second)
				if r := b.Read(t.Context(), "a"); r.Err != nil {
					t.Errorf("the reading is %+v, want one without an error", r)
				}
			})
		})
	}
}

// The same with a real driver, which the client library would have dial again by itself.
func TestAServerThatCloses(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dialled := make(chan time.Time, 1000)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dialled <- time.Now()
			go answerOnce(conn)
		}
	}()
	var lookedUp atomic.Int32
	b := backlog.New(backlog.Options{Notify: func(backlog.Key) {}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Start(ctx) }()
	for i := range 3 {
		b.Watch(backlog.Key{Name: fmt.Sprint(i)}, backlog.Watch{Query: broker.Query{Queue: "q"}, Source: backlog.Source{
			ID: "closes", Kind: redis.Kind(),
			Resolve: func(context.Context) (broker.Config, error) {
				lookedUp.Add(1)
				return redis.Config{Address: listener.Addr().String()}, nil
			},
		}})
	}
	const pauses = 100 + 200 + 400 + 800
	first := <-dialled
	for range 3 {
		<-dialled
	}
	if took, least := (<-dialled).Sub(first), pauses*time.Millisecond*9/10; took < least {
		t.Errorf("5 connections were made in %s, want at least %s", took, least)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := lookedUp.Load(); n != 1 {
		t.Errorf("the credentials were looked up %d times, want once", n)
	}
}

// answerOnce speaks Redis until a read is answered, and closes.
func answerOnce(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewScanner(conn)
	for in.Scan() {
		answer := map[string]string{
			"HELLO": "%1\r\n+proto\r\n:3\r\n", "CLIENT": "+OK\r\n", "ZCOUNT": ":0\r\n", "LLEN": ":3\r\n", "LREM": ":0\r\n",
		}[in.Text()]
		if _, err := io.WriteString(conn, answer); err != nil || in.Text() == "LREM" {
			return
		}
	}
}
