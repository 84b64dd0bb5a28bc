// Package redistest gives tests real Redis servers of their own.
//
//	redistest.go  a server
//	sentinel.go   Sentinels, and the servers that they look after
//	cluster.go    a cluster
//	move.go       slots of a cluster that move
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
	s := prepare(t)
	s.args = append([]string{
		"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--auto-aof-rewrite-percentage", "0", // its child would live on after Kill, and write
	}, args...)
	s.Restart()
	return s
}

// prepare has a folder and a port for a server.
func prepare(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not installed; on Debian or Ubuntu: apt-get install redis-server")
	}
	s := &Server{t: t, dir: t.TempDir(), port: FreePort(t)}
	t.Cleanup(s.Kill)
	return s
}

// FreePort is a port that nobody listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	return port
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
	s.cmd = exec.Command("redis-server", s.args...) //nolint:noctx,gosec // Kill ends it
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
	if _, answered := rueidis.IsRedisErr(err); answered {
		return nil // that a password is needed
	}
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

// Port is its port.
func (s *Server) Port() string { return s.port }

// Do sends a command over a connection of its own.
func (s *Server) Do(args ...string) rueidis.RedisResult {
	client, err := rueidis.NewClient(Option(s.Addr()))
	if err != nil {
		return rueidis.NewErrorResult(err)
	}
	defer client.Close()
	return client.Do(context.Background(), client.B().Arbitrary(args...).Build())
}

// must is Do with an answer that is no error.
func (s *Server) must(args ...string) rueidis.RedisResult {
	s.t.Helper()
	reply := s.Do(args...)
	if err := reply.Error(); err != nil && !rueidis.IsRedisNil(err) {
		s.t.Fatalf("%v to %s: %v", args, s.Addr(), err)
	}
	return reply
}

// text is an answer in words.
func (s *Server) text(args ...string) string {
	text, err := s.Do(args...).ToString()
	if err != nil {
		return err.Error()
	}
	return text
}

// await waits until there is nothing to complain of.
func await(t testing.TB, what string, check func() (complaint string)) {
	t.Helper()
	deadline := time.Now().Add(longestStart)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %s", what, complaint)
		}
		<-time.After(20 * time.Millisecond)
	}
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
