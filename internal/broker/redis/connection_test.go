package redis

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// doer sends a command, as plainClient does.
type doer = func(args ...string) rueidis.RedisResult

// connections counts those of the driver, by the name that it gives itself.
func connections(t *testing.T, do doer) int {
	t.Helper()
	list, err := do("CLIENT", "LIST").ToString()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(list, "name=qscaler ")
}

// The client library takes another connection for a pipeline of 2000 commands and more, unless told not to.
func TestALongPipelineTakesNoOtherConnection(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	d := open(t, Config{Address: server.Addr()}, newBell().ring)
	pods := make([]string, 100)
	for i := range pods {
		pods[i] = fmt.Sprintf("p%d", i)
	}
	queries := make([]broker.Query, 100)
	for i := range queries {
		queries[i] = broker.Query{Queue: fmt.Sprintf("q%d", i), Workers: workers(pods...)}
	}
	depths(t, d, queries...)
	if n := connections(t, do); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// An acknowledgement changes the processing list alone.
func TestAnAcknowledgementRings(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	b := newBell()
	d := open(t, Config{Address: server.Addr()}, b.ring)
	processing := redislist.Processing("q", "p1")
	do("LPUSH", processing, "task")
	if a := depths(t, d, broker.Query{Queue: "q", Workers: workers("p1")})[0]; a.Depth.InFlight.N != 1 {
		t.Fatalf("depth %+v, want 1 in flight", a.Depth)
	}
	do("LREM", processing, "1", "task")
	for {
		for _, queue := range b.await(t, "LREM") {
			if queue == "q" {
				return
			}
		}
	}
}

func TestFlushAllRingsForAll(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	b := newBell()
	d := open(t, Config{Address: server.Addr()}, b.ring)
	do("LPUSH", "q", "1")
	depths(t, d, broker.Query{Queue: "q"})
	do("FLUSHALL")
	if queues := b.await(t, "FLUSHALL"); len(queues) != 0 {
		t.Errorf("rung for %v, want for all", queues)
	}
}

// The server remembers nothing of a connection that it has closed; the next one must be tracked again.
func TestPushesComeBackAfterTheServerHangsUp(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	b := newBell()
	d := open(t, Config{Address: server.Addr()}, b.ring)
	q := broker.Query{Queue: "q"}
	depths(t, d, q)
	d.(lists).dialer.dialled = time.Now().Add(-redialAfter)
	do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	for len(b.await(t, "the connection was killed")) > 0 {
	}
	depths(t, d, q)
	for len(b.rung) > 0 {
		<-b.rung
	}
	do("LPUSH", "q", "1")
	if got := b.await(t, "a push on the new connection"); len(got) != 1 || got[0] != "q" {
		t.Errorf("rung for %v, want q", got)
	}
	if n := connections(t, do); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A user who may read lists and nothing else is enough, by polling.
func TestTheLeastUser(t *testing.T) {
	server := redisservertest.Start(t)
	do := plainClient(t, server.Addr())
	do("ACL", "SETUSER", "least", "on", ">pw", "~*", "+llen", "+zcount", "+multi", "+exec")
	do("LPUSH", "q", "1")
	d := open(t, Config{Address: server.Addr(), Username: "least", Password: broker.NewSecret("pw")}, newBell().ring)
	if a := depths(t, d, broker.Query{Queue: "q", Workers: workers("p1")})[0]; a.Err != nil || a.Depth.Waiting.N != 1 {
		t.Errorf("%+v, want 1 waiting", a)
	}
	if _, err := d.Depths(t.Context(), nil); err != nil {
		t.Errorf("a server that refuses PING answers: %v", err)
	}
	_, err := d.(broker.Reclaimer).Reclaim(t.Context(), claim, "q", "p1")
	if got := broker.ReasonOf(err); got != broker.ReasonPermissionDenied {
		t.Errorf("Reclaim: %v (%s), want PermissionDenied", err, got)
	}
}

// fakeServer answers each command with what reply says, to show what proxies and old servers do.
func fakeServer(t *testing.T, reply func(command []string) string) string {
	t.Helper()
	return accepting(t, func(conn net.Conn) { serve(conn, reply) })
}

// accepting is the address of a server that serves each connection so.
func accepting(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String()
}

func serve(conn net.Conn, reply func(command []string) string) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		var n int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
			return
		}
		command := make([]string, n)
		for i := range command {
			var size int
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			text := make([]byte, size+len("\r\n"))
			if _, err := io.ReadFull(in, text); err != nil {
				return
			}
			command[i] = string(text[:size])
		}
		if _, err := conn.Write([]byte(reply(command) + "\r\n")); err != nil {
			return
		}
	}
}

// unknown is what Redis says of a command that it does not know: it repeats the arguments.
func unknown(command []string) string {
	return "-ERR unknown command `" + command[0] + "`, with args beginning with: `" + strings.Join(command[1:], "`, `") + "`, "
}

func TestAServerBeforeRedis6IsPolled(t *testing.T) {
	address := fakeServer(t, func(command []string) string {
		switch command[0] {
		case "AUTH":
			return "+OK"
		case "LLEN":
			return ":7"
		case "ZCOUNT":
			return ":0"
		}
		return unknown(command)
	})
	d := open(t, Config{Address: address, Password: broker.NewSecret("s3cret")}, newBell().ring)
	ok, why := d.(broker.Pusher).Pushes()
	if ok || why == "" || strings.Contains(why, "s3cret") {
		t.Errorf("Pushes = %t, %q; want false, and why", ok, why)
	}
	if a := depths(t, d, broker.Query{Queue: "q"})[0]; a.Err != nil || a.Depth.Waiting.N != 7 {
		t.Errorf("%+v, want 7 waiting", a)
	}
}

func TestNoErrorRepeatsThePassword(t *testing.T) {
	echoes := map[string]func([]string) string{
		"a server that knows no command": unknown,
		"a proxy with words of its own":  func(c []string) string { return "-ERR unsupported: " + strings.Join(c, " ") },
		"a refusal":                      func(c []string) string { return "-WRONGPASS for " + strings.Join(c, " ") },
	}
	for name, reply := range echoes {
		t.Run(name, func(t *testing.T) {
			e := Config{Address: fakeServer(t, reply), Username: "u", Password: broker.NewSecret("s3cret")}
			d, err := Open(t.Context(), e, newBell().ring)
			if err == nil {
				_, err = d.Depths(t.Context(), []broker.Query{{Queue: "q"}})
				d.Close()
			}
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error is %v; want one, without the password", err)
			}
		})
	}
}

// A server that lacks a command that QScaler needs is told which version has it, by whatever words it says so.
func TestACommandThatIsNotThereIsExplained(t *testing.T) {
	for name, words := range map[string]string{
		"a command":             "unknown command 'LLEN', with args beginning with: 'q' ",
		"a command of a script": "Unknown Redis command called from script script: 85a5cc, on @user_script:1.",
	} {
		err := classify(serverSays(t, words), Config{Address: "a:1"})
		if got := broker.ReasonOf(err); got != broker.ReasonUnknown {
			t.Errorf("%s: the reason is %s", name, got)
		}
		if !strings.Contains(err.Error(), "since 6.2") || !strings.Contains(err.Error(), "Sentinel") || strings.Contains(err.Error(), "beginning with") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// serverSays is the error of a command that a server has refused with these words.
func serverSays(t *testing.T, words string) error {
	t.Helper()
	address := fakeServer(t, func(command []string) string {
		if command[0] == "LLEN" {
			return "-ERR " + words
		}
		return unknown(command)
	})
	d := open(t, Config{Address: address}, newBell().ring).(lists)
	return d.client.Do(t.Context(), d.client.B().Llen().Key("q").Build()).Error()
}
