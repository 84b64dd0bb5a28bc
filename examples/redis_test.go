package examples

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// redisServer is a Redis that a story may kill. With appendfsync always it keeps what it confirmed.
type redisServer struct {
	address string
	args    []string
	cmd     *exec.Cmd // nil while it does not run
}

func newRedisServer(t *testing.T) *redisServer {
	t.Helper()
	s := &redisServer{address: freeAddress(t)}
	_, port, err := net.SplitHostPort(s.address)
	must(t, err)
	s.args = []string{
		"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.kill(t)
		}
	})
	return s
}

func (s *redisServer) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	must(t, s.cmd.Start())
	eventually(t, "redis-server answers", s.answers)
}

func (s *redisServer) kill(t *testing.T) {
	t.Helper()
	must(t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *redisServer) answers() bool {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "+PONG")
}
