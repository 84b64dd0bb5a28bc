package backlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// desk is a Backlog that runs, and the keys that it woke.
type desk struct {
	*testing.T
	byName
	woken chan string
}

// byName is a Backlog whose watches are known by a name.
type byName struct{ *backlog.Backlog }

func keyOf(name string) backlog.Key { return backlog.Key{Watcher: backlog.QWorker, Name: name} }

func (b byName) Watch(name string, w backlog.Watch) { b.Backlog.Watch(keyOf(name), w) }
func (b byName) Keep(name string, s backlog.Source, reclaims bool) {
	b.Backlog.Keep(keyOf(name), s, reclaims)
}
func (b byName) Forget(name string)               { b.Backlog.Forget(keyOf(name)) }
func (b byName) Last(name string) backlog.Reading { return b.Backlog.Last(keyOf(name)) }
func (b byName) Request(name string) <-chan backlog.Reading {
	return b.Backlog.Request(keyOf(name))
}

// Read waits for a reading that was requested.
func (b byName) Read(ctx context.Context, name string) backlog.Reading {
	select {
	case r := <-b.Request(name):
		return r
	case <-ctx.Done():
		return backlog.Reading{Err: ctx.Err()}
	}
}

func (b byName) Reclaim(ctx context.Context, name, worker string) (int64, error) {
	return b.Backlog.Reclaim(ctx, keyOf(name), worker)
}

// slow keeps polls out of the way where a test is about the doorbell.
const slow = time.Hour

func newDesk(t *testing.T, o backlog.Options) *desk {
	t.Helper()
	d := &desk{T: t, woken: make(chan string, 10000)}
	o.Notify = func(key backlog.Key) { d.woken <- key.Name }
	d.byName = byName{backlog.New(o)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		_ = d.Start(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return d
}

// startRedis starts a real server. The bubbles cover what the package does with it; these tests are slow.
func startRedis(t *testing.T, args ...string) *redisserver.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs a real Redis")
	}
	return redisservertest.Start(t, args...)
}

func sourceAt(address string) backlog.Source {
	return backlog.Source{ID: address, Kind: redis.Kind(), Claim: claimed, Resolve: func(context.Context) (broker.Config, error) {
		return redis.Config{Address: address}, nil
	}}
}

func claimed(context.Context) (broker.Claim, error) {
	return broker.Claim{Cluster: "c", Process: "this-one"}, nil
}

// onChange wakes on every other depth.
func onChange(prev, next backlog.Reading) bool {
	return prev.Depth.Waiting.N != next.Depth.Waiting.N || prev.Depth.InFlight.N != next.Depth.InFlight.N
}

const longestWait = 20 * time.Second

// await waits until the reading of a key, looked at whenever it is woken, is as wanted.
func (d *desk) await(key, what string, is func(backlog.Reading) bool) backlog.Reading {
	d.Helper()
	deadline := time.After(longestWait)
	for {
		if r := d.Last(key); is(r) {
			return r
		}
		select {
		case <-d.woken:
		case <-deadline:
			d.Fatalf("%s: not so after %s, the reading of %s is %+v", what, longestWait, key, d.Last(key))
		}
	}
}

func waiting(n int64) func(backlog.Reading) bool {
	return func(r backlog.Reading) bool { return r.Known && r.Err == nil && r.Depth.Waiting.N == n }
}

func failing(reason broker.Reason) func(backlog.Reading) bool {
	return func(r backlog.Reading) bool { return r.Err != nil && broker.ReasonOf(r.Err) == reason }
}

func do(t *testing.T, s *redisserver.Server, args ...string) rueidis.RedisResult {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := c.Do(t.Context(), c.B().Arbitrary(args...).Build())
	if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%v: %v", args, err)
	}
	return r
}

func TestTheDoorbellWakes(t *testing.T) {
	s := startRedis(t)
	d := newDesk(t, backlog.Options{SafetyInterval: slow, PollInterval: slow})
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q", Workers: workersOf("p")}, Significant: onChange})
	d.await("a", "the first reading", waiting(0))
	for i := range int64(20) {
		do(t, s, "LPUSH", "q", "x")
		d.await("a", "after a push", waiting(i+1))
	}
	do(t, s, "LMOVE", "q", redislist.Processing("q", "p"), "RIGHT", "LEFT")
	r := d.await("a", "a worker has taken one", waiting(19))
	if r.Depth.InFlight.N != 1 || r.Depth.Held["p"] != 1 {
		t.Errorf("depth %+v, want 1 in flight, held by p", r.Depth)
	}
}

func TestAFailedReadIsNotZero(t *testing.T) {
	s := startRedis(t)
	d := newDesk(t, backlog.Options{SafetyInterval: 50 * time.Millisecond, ReadTimeout: time.Second})
	do(t, s, "RPUSH", "q", "1", "2", "3")
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q"}, Significant: onChange})
	d.await("a", "the first reading", waiting(3))

	steps := []struct {
		name    string
		break_  func() error
		reason  broker.Reason
		restore func() error
	}{
		{"killed", s.Kill, broker.ReasonConnectionRefused, func() error { return s.Restart(t.Context()) }},
		{"hanging", s.Pause, broker.ReasonTimeout, s.Resume},
	}
	for _, step := range steps {
		if err := step.break_(); err != nil {
			t.Fatal(err)
		}
		r := d.await("a", step.name, failing(step.reason))
		if !r.Known || r.Depth.Waiting.N != 3 || r.ErrSince.IsZero() {
			t.Errorf("%s: the reading is %+v, want the last good depth and since when it is old", step.name, r)
		}
		if fresh := d.Read(t.Context(), "a"); fresh.Err == nil {
			t.Errorf("%s: a fresh reading pretends to be good: %+v", step.name, fresh)
		}
		if err := step.restore(); err != nil {
			t.Fatal(err)
		}
		d.await("a", step.name+" and back", waiting(3))
	}
}

func TestOneQueueThatIsNoListHarmsNoOther(t *testing.T) {
	s := startRedis(t)
	do(t, s, "SET", "text", "x")
	do(t, s, "RPUSH", "q", "1")
	d := newDesk(t, backlog.Options{})
	d.Watch("bad", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "text"}})
	d.Watch("good", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q"}})
	d.await("bad", "the wrong type", failing(broker.ReasonWrongType))
	d.await("good", "the good one", waiting(1))
}

func TestReadIsFresh(t *testing.T) {
	s := startRedis(t)
	d := newDesk(t, backlog.Options{SafetyInterval: slow})
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q"}})
	for i := range int64(50) {
		do(t, s, "LPUSH", "q", "x")
		if r := d.Read(t.Context(), "a"); r.Depth.Waiting.N != i+1 {
			t.Fatalf("push %d: a fresh reading has %d", i+1, r.Depth.Waiting.N)
		}
	}
}

func TestThePasswordChanges(t *testing.T) {
	s := startRedis(t, "--requirepass", "one")
	password := make(chan string, 1)
	password <- "wrong"
	source := backlog.Source{ID: "x", Kind: redis.Kind(), Claim: claimed, Resolve: func(context.Context) (broker.Config, error) {
		p := <-password
		password <- p
		return redis.Config{Address: s.Addr(), Password: broker.NewSecret(p)}, nil
	}}
	d := newDesk(t, backlog.Options{})
	d.Watch("a", backlog.Watch{Source: source, Query: broker.Query{Queue: "q"}})
	r := d.await("a", "a wrong password", failing(broker.ReasonAuthenticationFailed))
	if strings.Contains(r.Err.Error(), "wrong") && strings.Contains(r.Err.Error(), "one") {
		t.Errorf("a password is in the error: %v", r.Err)
	}
	<-password
	password <- "one"
	d.await("a", "the right one", waiting(0))
}

func TestOneConnectionAndNothingWhileIdle(t *testing.T) {
	s := startRedis(t)
	d := newDesk(t, backlog.Options{SafetyInterval: slow, PollInterval: slow})
	const queues = 1500
	for i := range queues {
		d.Watch(fmt.Sprint(i), backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: fmt.Sprintf("q%d", i)}, Significant: onChange})
	}
	d.Keep("health", sourceAt(s.Addr()), true)
	for i := range queues {
		d.await(fmt.Sprint(i), "every queue is read", waiting(0))
	}
	list, _ := do(t, s, "CLIENT", "LIST").ToString()
	if n := strings.Count(list, "name=qscaler"); n != 1 {
		t.Errorf("%d connections for %d queues, want 1", n, queues)
	}
	do(t, s, "CONFIG", "RESETSTAT")
	do(t, s, "LPUSH", "q7", "x")
	d.await("7", "one queue rings", waiting(1))
	stats, _ := do(t, s, "INFO", "commandstats").ToString()
	if !strings.Contains(stats, "cmdstat_llen:calls=1,") {
		t.Errorf("a ring of one queue reads that one alone; commands: %s", stats)
	}
	if h := d.Health(s.Addr()); !h.Known || h.Err != nil || !h.Pushes {
		t.Errorf("Health = %+v, want an answer and pushes", h)
	}
}

func TestHoldersAndReclaim(t *testing.T) {
	s := startRedis(t)
	do(t, s, "RPUSH", redislist.Processing("q", "fleet-a"), "1", "2")
	do(t, s, "RPUSH", redislist.Processing("r", "fleet-c"), "4")
	d := newDesk(t, backlog.Options{})
	d.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q"}, Significant: onChange})
	d.await("a", "the queue is read", waiting(0))
	holders, err := d.Holders(t.Context(), s.Addr())
	slices.SortFunc(holders, func(a, b broker.Holder) int { return strings.Compare(a.Worker, b.Worker) })
	want := []broker.Holder{{Queues: []string{"{q}", "q"}, Worker: "fleet-a"}, {Queues: []string{"{r}", "r"}, Worker: "fleet-c"}}
	if diff := cmp.Diff(want, holders); diff != "" || err != nil {
		t.Errorf("%v; holders of all queues (-want +got):\n%s", err, diff)
	}
	if err := d.Claim(t.Context(), s.Addr()); err != nil {
		t.Error(err)
	}
	moved, err := d.Reclaim(t.Context(), "a", "fleet-a")
	if err != nil || moved != 2 {
		t.Errorf("Reclaim = %d, %v; want 2", moved, err)
	}
	d.await("a", "what came back is seen", waiting(2))
}

func TestResolveErrorsAreTheReadings(t *testing.T) {
	missing := errors.New("there is no Secret")
	d := newDesk(t, backlog.Options{})
	d.Watch("a", backlog.Watch{Source: backlog.Source{ID: "x", Resolve: func(context.Context) (broker.Config, error) {
		return nil, missing
	}}})
	d.await("a", "the error comes through", func(r backlog.Reading) bool { return errors.Is(r.Err, missing) && !r.Known })
}

func TestNothingIsLeftBehind(t *testing.T) {
	s := startRedis(t)
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	b := byName{backlog.New(backlog.Options{Notify: func(backlog.Key) {}})}
	ended := make(chan struct{})
	go func() {
		_ = b.Start(ctx)
		close(ended)
	}()
	for range 20 {
		b.Watch("a", backlog.Watch{Source: sourceAt(s.Addr()), Query: broker.Query{Queue: "q"}})
		b.Read(ctx, "a")
		b.Forget("a")
	}
	b.Watch("b", backlog.Watch{Source: sourceAt("127.0.0.1:1"), Query: broker.Query{Queue: "q"}})
	b.Read(ctx, "b")
	cancel()
	<-ended
	goleak.VerifyNone(t, before)
}
