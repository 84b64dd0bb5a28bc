package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
)

// neverDead has Sentinels take no server for dead in a test.
const neverDead = time.Hour

// namedMaster names an address as Sentinels do.
type namedMaster string

func (n namedMaster) master(context.Context) (string, error) { return string(n), nil }
func (namedMaster) close()                                   {}

// The suite reaches a master by a real Sentinel. Where it puts something in the way to the master, that is named by none.
func TestSuiteWithSentinel(t *testing.T) {
	sentinels := map[string]string{} // by the address of the master
	kind := Kind()
	kind.Open = broker.Opener(func(ctx context.Context, c Config, ring broker.Doorbell) (broker.Driver, error) {
		c.Sentinel.Master = redisservertest.MasterName
		if sentinel := sentinels[c.Address]; sentinel != "" {
			c.Address = sentinel
			return openShared(ctx, c, ring, newSearches())
		}
		if c.TLS != nil {
			c.ServerName = c.TLS.ServerName
		}
		return openMaster(ctx, c, namedMaster(c.Address), ring, newSearches())
	})
	brokertest.Run(t, brokertest.Harness{
		Kind: kind, ByWorker: true, InFlight: true, Rings: true, Rounds: 1,
		Start: func(t *testing.T) brokertest.Server {
			watched := redisservertest.StartWatched(t, 1, neverDead, nil)
			l := &listServer{t: t, server: watched.Servers[0]}
			l.connect("")
			sentinels[l.server.Addr()] = watched.Sentinels[0].Addr()
			return l
		},
		SetPassword: func(_ *testing.T, s brokertest.Server, password string) {
			l := s.(*listServer)
			l.do("CONFIG", "SET", "requirepass", password)
			l.connect(password)
		},
	})
}

// bySentinel is how the master of a group is reached.
func bySentinel(w *redisservertest.Watched) Config {
	return Config{Address: w.Sentinels[0].Addr(), Sentinel: Sentinel{Master: redisservertest.MasterName}}
}

// readUntil reads as the backlog does, with a driver after the other, until it is so. Each read that does not fail is told.
func readUntil(t *testing.T, c Config, limit time.Duration, read func([]broker.Answer) (done bool), queries ...broker.Query) time.Duration {
	t.Helper()
	began := time.Now()
	var d broker.Driver
	for time.Since(began) < limit {
		var err error
		if d == nil {
			if d, err = Open(t.Context(), c, newBell().ring); err != nil {
				t.Logf("%s: opening: %v", time.Since(began).Round(time.Millisecond), err)
				d = nil
				<-time.After(100 * time.Millisecond)
				continue
			}
		}
		answers, err := d.Depths(t.Context(), queries)
		if err != nil {
			t.Logf("%s: %v", time.Since(began).Round(time.Millisecond), err)
			d.Close()
			d = nil
			<-time.After(100 * time.Millisecond)
			continue
		}
		if read(answers) {
			d.Close()
			return time.Since(began)
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("not so after %s", limit)
	return 0
}

// A master that is killed is followed by another. What is read is what that has, or nothing: never an empty queue.
func TestAFailoverIsFollowed(t *testing.T) {
	w := redisservertest.StartWatched(t, 2, time.Second, nil)
	w.AwaitQuorum(t, "")
	c := bySentinel(w)
	plainClient(t, w.Servers[0].Addr())("RPUSH", "q", "1", "2", "3")
	for _, s := range w.Servers[1:] {
		redisservertest.Eventually(t, "the replica has the tasks", func() bool {
			n, err := redisservertest.Ask(t, s.Addr(), "", "LLEN", "q")
			return err == nil && strings.Contains(n.String(), "3")
		})
	}
	d := open(t, c, newBell().ring)
	depths(t, d, broker.Query{Queue: "q"})
	if err := w.Servers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Depths(t.Context(), []broker.Query{{Queue: "q"}}); err == nil {
		t.Error("a master that is killed has answered")
	}
	took := readUntil(t, c, time.Minute, func(answers []broker.Answer) bool {
		if answers[0].Err != nil || answers[0].Depth.Waiting != broker.CountOf(3) {
			t.Errorf("%+v, want 3 waiting", answers[0])
		}
		return true
	}, broker.Query{Queue: "q"})
	t.Logf("followed after %s, of which Sentinels wait for 1 s before they look for another", took)
}

// A master that is taken for dead and is not goes on to answer. It is read no more once a Sentinel names another, and the
// doorbell rings for all.
func TestAMasterThatIsNoneAnyMoreIsNotRead(t *testing.T) {
	w := redisservertest.StartWatched(t, 1, neverDead, nil)
	w.AwaitQuorum(t, "")
	b := newBell()
	d := open(t, bySentinel(w), b.ring)
	depths(t, d, broker.Query{Queue: "q"})
	replica := plainClient(t, w.Servers[1].Addr())
	replica("REPLICAOF", "NO", "ONE")
	sentinel := plainClient(t, w.Sentinels[0].Addr())
	sentinel("SENTINEL", "REMOVE", redisservertest.MasterName)
	sentinel("SENTINEL", "MONITOR", redisservertest.MasterName, "127.0.0.1", fmt.Sprint(w.Servers[1].Port()), "2")
	for len(b.await(t, "the Sentinel names another")) > 0 {
	}
	_, err := d.Depths(t.Context(), []broker.Query{{Queue: "q"}})
	if broker.ReasonOf(err) != broker.ReasonConnectionLost || !strings.Contains(err.Error(), "another server is the master now") {
		t.Errorf("Depths = %v, want that another is the master", err)
	}
	d = open(t, bySentinel(w), b.ring)
	depths(t, d, broker.Query{Queue: "q"})
}

// A server says itself that it is no master. It is asked in the round trip of each read.
func TestAReplicaIsNotReadForItsMaster(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d, err := openMaster(t.Context(), Config{Sentinel: Sentinel{Master: "m"}}, namedMaster(server.Addr()), newBell().ring, newSearches())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	do("RPUSH", "q", "1")
	for _, queries := range [][]broker.Query{{{Queue: "q"}}, {{Queue: "q", Workers: workers("p")}}, nil} {
		if _, err := d.Depths(t.Context(), queries); err != nil {
			t.Errorf("a master: %v", err)
		}
	}
	do("REPLICAOF", "127.0.0.1", "1")
	for _, queries := range [][]broker.Query{{{Queue: "q"}}, {{Queue: "q", Workers: workers("p")}}, nil} {
		if answers, err := d.Depths(t.Context(), queries); broker.ReasonOf(err) != broker.ReasonReadOnly || !strings.Contains(err.Error(), "not master") {
			t.Errorf("a replica: %+v, %v, want that it is one", answers, err)
		}
	}
}

// A connection to a master that broke is not made again by the library: who is there may be somebody else by now.
func TestAMasterIsDialledOnce(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	opened, err := openMaster(t.Context(), Config{Sentinel: Sentinel{Master: "m"}}, namedMaster(server.Addr()), newBell().ring, newSearches())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	d := opened.(lists)
	depths(t, d, broker.Query{Queue: "q"})
	d.dialer.dialled = time.Now().Add(-2 * redialAfter)
	do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	redisservertest.Eventually(t, "the connection is found broken", func() bool {
		_, err := d.Depths(t.Context(), []broker.Query{{Queue: "q"}})
		return err != nil
	})
	if _, err := d.Depths(t.Context(), []broker.Query{{Queue: "q"}}); err == nil {
		t.Error("it is connected again")
	}
}

// Each of several Sentinels of one name is tried.
func TestASentinelThatIsDeadIsPassedOver(t *testing.T) {
	w := redisservertest.StartWatched(t, 0, neverDead, nil)
	s := newSentinels(bySentinel(w))
	defer s.close()
	nobody := fakeServer(t, func([]string) string { return "$-1" }) // it knows no master
	for i, first := range []string{nobody, "127.0.0.1:1"} {
		if _, err := s.askAt(t.Context(), first, 2); err == nil {
			t.Errorf("%d: it has answered", i)
		}
	}
	for range 2 { // by a new connection, and by the one that is kept
		if got, err := s.master(t.Context()); err != nil || got != w.Servers[0].Addr() {
			t.Errorf("the master is %q, %v; want %s", got, err, w.Servers[0].Addr())
		}
	}
	s.config.Address = "localhost:1"
	if got, err := s.master(t.Context()); err != nil || got != w.Servers[0].Addr() {
		t.Errorf("by the connection that is kept, the master is %q, %v", got, err)
	}
	if err := w.Sentinels[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.master(t.Context()); broker.ReasonOf(err) != broker.ReasonConnectionRefused {
		t.Errorf("without any, %v", err)
	}
}

// While no Sentinel answers, the master is read on.
func TestTheMasterIsReadWithoutSentinels(t *testing.T) {
	w := redisservertest.StartWatched(t, 0, neverDead, nil)
	d := open(t, bySentinel(w), newBell().ring)
	for _, s := range w.Sentinels {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	<-time.After(2 * followInterval)
	depths(t, d, broker.Query{Queue: "q"})
}

func TestTheWrongWayToASentinelNamesTheField(t *testing.T) {
	w := redisservertest.StartWatched(t, 0, neverDead, []string{"--requirepass", "pw"}, "requirepass sentinels", "sentinel auth-pass "+redisservertest.MasterName+" pw")
	sentinel, master := w.Sentinels[0].Addr(), w.Servers[0].Addr()
	open := redisservertest.Start(t)
	named := func(password string) Sentinel {
		return Sentinel{Master: redisservertest.MasterName, Password: broker.NewSecret(password)}
	}
	for name, c := range map[string]struct {
		config Config
		reason broker.Reason
		want   string
	}{
		"right":                           {Config{Address: sentinel, Password: broker.NewSecret("pw"), Sentinel: named("sentinels")}, "", ""},
		"a Sentinel for a server":         {Config{Address: sentinel, Password: broker.NewSecret("sentinels")}, broker.ReasonUnknown, "set config.redis.sentinel"},
		"a server for a Sentinel":         {Config{Address: open.Addr(), Sentinel: named("")}, broker.ReasonUnknown, "it is no Sentinel; give the host and the port of one, which is 26379 by default, or remove config.redis.sentinel"},
		"a server with a password":        {Config{Address: master, Password: broker.NewSecret("pw"), Sentinel: named("")}, broker.ReasonAuthenticationFailed, "set config.redis.sentinel.password, and see that config.port is that of a Sentinel"},
		"a master that nobody knows":      {Config{Address: sentinel, Sentinel: Sentinel{Master: "other", Password: broker.NewSecret("sentinels")}}, broker.ReasonMasterNotFound, `it knows no master "other"; set config.redis.sentinel.master`},
		"no password of the Sentinel":     {Config{Address: sentinel, Password: broker.NewSecret("pw"), Sentinel: named("")}, broker.ReasonAuthenticationFailed, "set config.redis.sentinel.password"},
		"a wrong one":                     {Config{Address: sentinel, Password: broker.NewSecret("pw"), Sentinel: named("wr0ng")}, broker.ReasonAuthenticationFailed, "the user name or the password of config.redis.sentinel is wrong"},
		"a wrong one of the server":       {Config{Address: sentinel, Password: broker.NewSecret("wr0ng"), Sentinel: named("sentinels")}, broker.ReasonAuthenticationFailed, `(the master "mymaster" of the Sentinel at ` + sentinel + ")"},
		"a host that may not be dialled":  {Config{Address: sentinel, Sentinel: named("sentinels"), allows: func(host string) bool { return host != "127.0.0.1" }}, broker.ReasonHostNotAllowed, "--allowed-broker-hosts"},
		"TLS to a Sentinel without it":    {Config{Address: sentinel, Sentinel: named("sentinels"), TLS: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "localhost"}}, "", "if the server does not speak TLS, remove config.tls"},
		"a Sentinel that is not there":    {Config{Address: "127.0.0.1:1", Sentinel: named("")}, broker.ReasonConnectionRefused, "the Redis Sentinel at 127.0.0.1:1"},
		"a name that does not resolve":    {Config{Address: "no-such-host.invalid:26379", Sentinel: named("")}, broker.ReasonHostNotFound, "the Redis Sentinel at no-such-host.invalid:26379"},
		"an answer that is no address":    {Config{Address: fakeServer(t, answersTo("SENTINEL", "*2\r\n$2\r\n a\r\n$1\r\n1")), Sentinel: named("")}, broker.ReasonUnknown, "in a way that Sentinels do not"},
		"an answer that is no port":       {Config{Address: fakeServer(t, answersTo("SENTINEL", "*2\r\n$1\r\na\r\n$5\r\n99999")), Sentinel: named("")}, broker.ReasonUnknown, "a port of the master that cannot be"},
		"an answer that is more than one": {Config{Address: fakeServer(t, answersTo("SENTINEL", "*9\r\n"+strings.Repeat("$1\r\na\r\n", 8)+"$1\r\na")), Sentinel: named("")}, broker.ReasonUnknown, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := Open(t.Context(), c.config, newBell().ring)
			if err == nil {
				_, err = d.Depths(t.Context(), []broker.Query{{Queue: "q"}})
				d.Close()
			}
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || (c.reason != "" && broker.ReasonOf(err) != c.reason) || strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the error is %v (%s), want %s with %q in it", err, broker.ReasonOf(err), c.reason, c.want)
			}
		})
	}
}

// answersTo is a server that answers one command, and greets.
func answersTo(command, answer string) func([]string) string {
	return func(c []string) string {
		switch c[0] {
		case command:
			return answer
		case "HELLO":
			return "%1\r\n+proto\r\n:3"
		}
		return "+OK"
	}
}

// A certificate is to have the name of the host by which each server was reached, or the one name that the ScalerConfig has.
func TestWhichNameACertificateHas(t *testing.T) {
	for name, c := range map[string]struct{ serverName, want string }{
		"that of the host": {"", "10.0.0.7"}, "the one that is set": {"redis.example.com", "redis.example.com"},
	} {
		config := Config{Address: "sentinel:26379", ServerName: c.serverName, TLS: &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "sentinel"}}
		got, err := config.at(net.JoinHostPort("10.0.0.7", "6379"), "a test")
		if err != nil || got.TLS.ServerName != c.want || config.TLS.ServerName != "sentinel" {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, c.want)
		}
	}
}

// The rights that docs/brokers/redis.md lists are enough for a Sentinel.
func TestTheRightsAtASentinel(t *testing.T) {
	w := redisservertest.StartWatched(t, 0, neverDead, nil)
	do := plainClient(t, w.Sentinels[0].Addr())
	for name, c := range map[string]struct {
		rights []string
		want   broker.Reason
	}{
		"those that are listed": {[]string{"+@connection", "-@dangerous", "+sentinel|get-master-addr-by-name"}, ""},
		"none":                  {[]string{"+@connection"}, broker.ReasonPermissionDenied},
	} {
		do("ACL", "DELUSER", "qscaler")
		do(append([]string{"ACL", "SETUSER", "qscaler", "on", ">pw"}, c.rights...)...)
		config := bySentinel(w)
		config.Sentinel.Username, config.Sentinel.Password = "qscaler", broker.NewSecret("pw")
		d, err := Open(t.Context(), config, newBell().ring)
		if err == nil {
			d.Close()
		}
		if (err == nil) != (c.want == "") || (err != nil && broker.ReasonOf(err) != c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
