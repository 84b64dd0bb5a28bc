// Package redistest gives tests a real redis-server of their own.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// longestStart bounds the start on a slow and busy machine.
const longestStart = 30 * time.Second

// Server is a redis-server that keeps everything that it has confirmed, also after Kill.
type Server struct {
	t    testing.TB
	dir  string
	port string
	args []string
	cmd  *exec.Cmd
}

// Start starts a server, with further arguments, and stops it at the test's end. The test fails, and is not skipped, where there is no
// redis-server.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not installed; on Debian or Ubuntu: apt-get install redis-server")
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	s := &Server{t: t, dir: t.TempDir(), port: port, args: args}
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Restart starts the server again, with the data that it had.
func (s *Server) Restart() {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "redis.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	s.cmd = exec.Command("redis-server", append([]string{"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, //nolint:noctx // Kill ends it
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--auto-aof-rewrite-percentage", "0"}, // its child would live on after Kill, and write
		s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	deadline := time.Now().Add(longestStart)
	for {
		err := s.ping()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			s.t.Fatalf("redis-server does not answer: %v\n%s", err, text)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (s *Server) ping() error {
	c, err := rueidis.NewClient(Option(s.Addr()))
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Do(context.Background(), c.B().Ping().Build()).Error()
}

// Option is how tests connect.
func Option(addr string) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, DisableCache: true, DisableRetry: true}
}

// Client is a connection to the server, closed at the test's end.
func (s *Server) Client() rueidis.Client {
	s.t.Helper()
	c, err := rueidis.NewClient(Option(s.Addr()))
	if err != nil {
		s.t.Fatal(fmt.Errorf("connecting to %s, %w", s.Addr(), err))
	}
	s.t.Cleanup(c.Close)
	return c
}
