// Package redisserver brings up a real redis-server on loopback, for local mode and for tests: it finds or
// installs the program, and starts, kills, pauses and restarts it.
package redisserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quickube/qscaler/local/freeport"
	"github.com/quickube/qscaler/local/process"
)

// Options is how a server runs.
type Options struct {
	// Dir has the data, the log and the record of the process; it is made.
	Dir string
	// Program is the path of redis-server; "" looks it up in the PATH.
	Program string
	// Port is a port of 127.0.0.1; 0 takes a free one.
	Port int
	// Args are further arguments, such as "--requirepass", "secret".
	Args []string
	// Sentinel is the configuration of a Sentinel, which the server is then; it has no data. "" is a server.
	Sentinel string
}

// Server is a redis-server of our own.
type Server struct {
	options  Options
	launcher *process.Launcher
	process  *process.Process
}

const (
	startTimeout = 15 * time.Second
	stopGrace    = 5 * time.Second
	answerEvery  = 10 * time.Millisecond
)

// Start starts a server and returns when it answers. It keeps every write that it has confirmed
// (appendfsync always), also through Kill. A server that a killed predecessor left in Dir is ended first.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Program == "" {
		program, err := Program.Find()
		if err != nil {
			return nil, err
		}
		o.Program = program
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	launcher, _, err := process.NewLauncher(filepath.Join(dir, "processes"))
	if err != nil {
		return nil, fmt.Errorf("starting redis-server, %w", err)
	}
	if o.Port == 0 {
		if o.Port, err = freeport.Find(); err != nil {
			launcher.Close()
			return nil, err
		}
	}
	s := &Server{options: o, launcher: launcher}
	if err := s.start(ctx); err != nil {
		launcher.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	log := filepath.Join(s.options.Dir, "redis.log")
	arguments, err := s.arguments()
	if err != nil {
		return fmt.Errorf("starting redis-server, %w", err)
	}
	p, err := s.launcher.Start(process.Command{
		Name: "redis-server", Argv: append([]string{s.options.Program}, arguments...),
		Env: os.Environ(), Dir: s.options.Dir, Log: log,
	})
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(answerEvery)
	defer ticker.Stop()
	for {
		if answers(ctx, s.Addr()) {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("redis-server ended with code %d; its log is %s", p.Exit().Code, log)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("redis-server does not answer; its log is %s", log), p.Stop(0))
		case <-ticker.C:
		}
	}
}

// arguments are those of the program. A Sentinel has a file, in which it writes what it learns; one that is there is kept.
func (s *Server) arguments() ([]string, error) {
	if s.options.Sentinel == "" {
		return append([]string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(s.options.Port), "--dir", s.options.Dir,
			"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
		}, s.options.Args...), nil
	}
	path := filepath.Join(s.options.Dir, "sentinel.conf")
	if _, err := os.Stat(path); err == nil {
		return []string{path, "--sentinel"}, nil
	}
	config := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\n%s", s.options.Port, s.options.Dir, s.options.Sentinel)
	return []string{path, "--sentinel"}, os.WriteFile(path, []byte(config), 0o600)
}

// answers reports whether a server speaks on the address; that it wants a password is an answer.
func answers(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && (strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH"))
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.options.Port)) }

// Port is the port.
func (s *Server) Port() int { return s.options.Port }

// String names the server for a person.
func (s *Server) String() string { return "redis-server at " + s.Addr() }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() error { return s.process.Stop(0) }

// Restart starts the server again, on the same port with the same data. It ends one that still runs.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.process.Stop(0); err != nil {
		return err
	}
	return s.start(ctx)
}

// Pause stops the server in its tracks: connections stay open and nothing answers.
func (s *Server) Pause() error { return s.process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.process.Signal(syscall.SIGCONT) }

// Stop ends the server. Its data stay in Dir.
func (s *Server) Stop() error {
	defer s.launcher.Close()
	_ = s.Resume()
	return s.process.Stop(stopGrace)
}
