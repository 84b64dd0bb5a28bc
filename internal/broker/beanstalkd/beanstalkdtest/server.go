// Package beanstalkdtest gives tests a real Beanstalkd server, and clients of it.
package beanstalkdtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a beanstalkd of the test's own. It keeps every job that it has confirmed, also through Restart.
type Server struct {
	t    testing.TB
	dir  string
	port int

	mu      sync.Mutex
	process *exec.Cmd
}

// Start starts a server, and stops it at the test's end. The test fails, and is not skipped, when beanstalkd is
// missing.
func Start(t testing.TB) *Server {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: t.TempDir(), port: listener.Addr().(*net.TCPAddr).Port}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.Kill)
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Port is the port.
func (s *Server) Port() int { return s.port }

const startPatience = 15 * time.Second

func (s *Server) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = exec.Command("beanstalkd", "-l", "127.0.0.1", "-p", strconv.Itoa(s.port), "-b", s.dir, "-f0")
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("starting beanstalkd (Debian and Ubuntu: apt-get install beanstalkd), %v", err)
	}
	deadline := time.Now().Add(startPatience)
	for {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.Addr())
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("beanstalkd does not answer after %s: %v", startPatience, err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// Restart kills the server and starts it again with its jobs, on the same port.
func (s *Server) Restart() {
	s.Kill()
	s.start()
}

// Pause stops the server in its tracks: connections stay open and nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Errorf("sending %s to beanstalkd: %v", signal, err)
	}
}

// Client is a producer or a worker: one connection.
type Client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// Client connects. The connection ends with the test, or by Close, which releases what it has reserved.
func (s *Server) Client() *Client {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.Addr())
	if err != nil {
		s.t.Errorf("connecting to beanstalkd: %v", err)
		return &Client{t: s.t}
	}
	c := &Client{t: s.t, conn: conn, in: bufio.NewReader(conn)}
	s.t.Cleanup(c.Close)
	return c
}

// Close ends the connection.
func (c *Client) Close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// Do sends a command, with a body where there is one, and returns the words of the answer.
func (c *Client) Do(body string, format string, args ...any) []string {
	if c.conn == nil {
		return []string{""}
	}
	command := fmt.Sprintf(format, args...) + "\r\n"
	if body != "" {
		command += body + "\r\n"
	}
	_, _ = io.WriteString(c.conn, command)
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Errorf("%q: %v", command, err)
		return []string{""}
	}
	words := strings.Fields(line)
	if words[0] == "RESERVED" || words[0] == "OK" {
		size, _ := strconv.Atoi(words[len(words)-1])
		body := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(c.in, body); err != nil {
			c.t.Errorf("%q: %v", command, err)
		}
		words = append(words, string(body[:size]))
	}
	return words
}

// Put sends a job to a tube: it is ready after the delay, and again when it is not done within the time to run.
func (c *Client) Put(tube, body string, delay, ttr time.Duration) {
	c.Do("", "use %s", tube)
	if got := c.Do(body, "put 0 %d %d %d", int(delay.Seconds()), int(ttr.Seconds()), len(body)); got[0] != "INSERTED" {
		c.t.Errorf("putting a job into %s: %v", tube, got)
	}
}

// Reserve takes a job of a tube, "" where none is ready.
func (c *Client) Reserve(tube string) (id string) {
	c.Do("", "watch %s", tube)
	c.Do("", "ignore default")
	got := c.Do("", "reserve-with-timeout 0")
	if got[0] != "RESERVED" {
		return ""
	}
	return got[1]
}

// Delete ends a job.
func (c *Client) Delete(id string) {
	if got := c.Do("", "delete %s", id); got[0] != "DELETED" {
		c.t.Errorf("deleting job %s: %v", id, got)
	}
}

// Count is how many jobs of a tube are in a state, such as "ready" or "reserved".
func (c *Client) Count(tube, state string) int {
	got := c.Do("", "stats-tube %s", tube)
	if got[0] == "NOT_FOUND" {
		return 0
	}
	_, count, found := strings.Cut(got[len(got)-1], "current-jobs-"+state+": ")
	count, _, _ = strings.Cut(count, "\n")
	n, err := strconv.Atoi(count)
	if !found || err != nil {
		c.t.Errorf("the jobs of %s that are %s: %q", tube, state, got)
	}
	return n
}
