package redisserver_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/redis"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// ask sends one command and returns the first line of the answer.
func ask(t *testing.T, address, command string) string {
	t.Helper()
	line, err := tryAsk(t, address, command)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return line
}

func tryAsk(t *testing.T, address, command string) (string, error) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
	words := strings.Fields(command)
	request := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		request += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What was confirmed is still there after kill -9, on the same port.
func TestKillAndRestart(t *testing.T) {
	s := redisservertest.Start(t)
	address := s.Addr()
	ask(t, address, "RPUSH q 1 2 3")
	check(t, s.Kill())
	if _, err := tryAsk(t, address, "PING"); err == nil {
		t.Error("it answers after it was killed")
	}
	check(t, s.Restart(t.Context()))
	if s.Addr() != address {
		t.Errorf("it is at %s now, was at %s", s.Addr(), address)
	}
	if got := ask(t, address, "LLEN q"); got != ":3" {
		t.Errorf("LLEN = %s, want :3", got)
	}
}

func TestPauseAndResume(t *testing.T) {
	s := redisservertest.Start(t)
	check(t, s.Pause())
	if got, err := tryAsk(t, s.Addr(), "PING"); err == nil {
		t.Errorf("it answers %s while it is paused", got)
	}
	check(t, s.Resume())
	if got := ask(t, s.Addr(), "PING"); got != "+PONG" {
		t.Errorf("PING = %s, want +PONG", got)
	}
}

func TestArgsAreTheServers(t *testing.T) {
	s := redisservertest.Start(t, "--requirepass", "pw")
	if got := ask(t, s.Addr(), "LLEN q"); !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("LLEN without the password: %s, want NOAUTH", got)
	}
}

func TestAServerThatDoesNotStartSaysWhere(t *testing.T) {
	_, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir(), Args: []string{"--no-such-option", "1"}})
	if err == nil || !strings.Contains(err.Error(), "its log is ") {
		t.Errorf("Start = %v, want where its log is", err)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "apt-get install redis-server") {
		t.Errorf("%v, want the remedy", err)
	}
}

const childVariable = "QSCALER_TEST_REDIS_DIR"

// TestChild is no test: it is the process that TestItDiesWithItsParent kills.
func TestChild(t *testing.T) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return
	}
	s, err := redisserver.Start(t.Context(), redisserver.Options{Dir: dir})
	check(t, err)
	_, err = fmt.Fprintln(os.Stderr, "address", s.Addr())
	check(t, err)
	select {}
}

func TestItDiesWithItsParent(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestChild$")
	child.Env = append(os.Environ(), childVariable+"="+dir)
	output, err := child.StderrPipe()
	check(t, err)
	check(t, child.Start())
	var address string
	if _, err := fmt.Fscanf(output, "address %s\n", &address); err != nil {
		t.Fatal(err)
	}
	check(t, child.Process.Signal(syscall.SIGKILL))
	_ = child.Wait()
	s, err := redisserver.Start(t.Context(), redisserver.Options{Dir: dir}) // ends what may be left, and takes the data
	check(t, err)
	defer func() { check(t, s.Stop()) }()
	if got, err := tryAsk(t, address, "PING"); err == nil {
		t.Errorf("the server of a killed parent answers %s", got)
	}
}

// The stand-in is good for the whole protocol of the lists, through the operator's own driver.
func TestEmbedded(t *testing.T) {
	s, err := redisserver.StartEmbedded(0)
	check(t, err)
	defer func() { check(t, s.Stop()) }()
	if !strings.Contains(s.String(), "stand-in") {
		t.Errorf("it calls itself %q, which does not say what it is", s)
	}
	d, err := redis.Open(t.Context(), redis.Config{Address: s.Addr()}, func(...string) {})
	check(t, err)
	defer d.Close()
	if ok, why := d.(broker.Pusher).Pushes(); ok || why == "" {
		t.Errorf("Pushes = %t, %q; want false, and why", ok, why)
	}
	processing := redislist.Processing("q", "p1")
	ask(t, s.Addr(), "LPUSH q 1 2 3")
	ask(t, s.Addr(), "BLMOVE q "+processing+" RIGHT LEFT 1")
	depth := func() broker.Depth {
		t.Helper()
		answers, err := d.Depths(t.Context(), []broker.Query{{Queue: "q", Workers: []broker.Worker{{PodName: "p1"}}}})
		check(t, err)
		check(t, answers[0].Err)
		return answers[0].Depth
	}
	if got := depth(); got.Waiting.N != 2 || got.InFlight.N != 1 {
		t.Errorf("depth %+v, want 2 waiting, 1 in flight", got)
	}
	holders, err := d.(broker.Reclaimer).Holders(t.Context())
	if err != nil || len(holders) != 1 || holders[0].Worker != "p1" {
		t.Errorf("Holders = %v, %v; want p1", holders, err)
	}
	claim := broker.Claim{Cluster: "c", Process: "p", Mark: "1"}
	if has, err := d.(broker.Reclaimer).Claim(t.Context(), claim, true); err != nil || has.Process != claim.Process {
		t.Errorf("Claim = %+v, %v; want %q", has, err, claim.Process)
	}
	if moved, err := d.(broker.Reclaimer).Reclaim(t.Context(), claim, "q", "p1"); err != nil || moved != 1 {
		t.Errorf("Reclaim = %d, %v; want 1", moved, err)
	}
	if got := depth(); got.Waiting.N != 3 || got.InFlight.N != 0 {
		t.Errorf("depth %+v, want 3 waiting", got)
	}
}
