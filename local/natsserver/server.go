// Package natsserver brings up a real nats-server with JetStream on loopback, for local mode and for tests: it builds the
// program, and starts, kills, pauses and restarts it.
//
// The program is a process of its own, built in a module of its own. So it can be killed and paused, and the operator does
// not depend on it.
package natsserver

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
	// Program is the path of nats-server, as Program returns it.
	Program string
	// Port is a port of 127.0.0.1; 0 takes a free one.
	Port int
	// Config is further text of the server's configuration: users, accounts, TLS.
	Config string
}

// Server is a nats-server of our own.
type Server struct {
	options  Options
	launcher *process.Launcher
	process  *process.Process
}

const (
	startTimeout = 30 * time.Second
	stopGrace    = 5 * time.Second
	answerEvery  = 10 * time.Millisecond
)

// Start starts a server and returns when it answers. It keeps every message that it has confirmed, also through Kill. A
// server that a killed predecessor left in Dir is ended first.
func Start(ctx context.Context, o Options) (*Server, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("starting nats-server in %s, %w", o.Dir, err)
	}
	o.Dir = dir
	launcher, _, err := process.NewLauncher(filepath.Join(dir, "processes"))
	if err != nil {
		return nil, fmt.Errorf("starting nats-server, %w", err)
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

// configuration is the text of the server's file.
func (s *Server) configuration() string {
	return fmt.Sprintf("host: 127.0.0.1\nport: %d\nserver_name: qscaler-%d\njetstream {store_dir: %q}\n%s\n",
		s.options.Port, s.options.Port, filepath.Join(s.options.Dir, "data"), s.options.Config)
}

func (s *Server) start(ctx context.Context) error {
	config, log := filepath.Join(s.options.Dir, "nats.conf"), filepath.Join(s.options.Dir, "nats.log")
	if err := os.WriteFile(config, []byte(s.configuration()), 0o600); err != nil {
		return fmt.Errorf("starting nats-server, %w", err)
	}
	p, err := s.launcher.Start(process.Command{
		Name: programName, Argv: []string{s.options.Program, "-c", config}, Env: os.Environ(), Dir: s.options.Dir, Log: log,
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
			return fmt.Errorf("nats-server ended with code %d; its log is %s", p.Exit().Code, log)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("nats-server does not answer; its log is %s", log), p.Stop(0))
		case <-ticker.C:
		}
	}
}

// answers reports whether a server speaks on the address: it listens once JetStream is ready, and speaks first. One that
// wants TLS first says nothing; that it takes the connection is enough then.
func answers(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	line, err := bufio.NewReaderSize(conn, 16<<10).ReadString('\n')
	var late net.Error
	return strings.HasPrefix(line, "INFO ") || (errors.As(err, &late) && late.Timeout())
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.options.Port)) }

// Port is the port.
func (s *Server) Port() int { return s.options.Port }

// String names the server for a person.
func (s *Server) String() string { return "nats-server at " + s.Addr() }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() error { return s.process.Stop(0) }

// Restart starts the server again, on the same port with the same data. It ends one that still runs.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.process.Stop(0); err != nil {
		return err
	}
	return s.start(ctx)
}

// Reconfigure restarts the server with another text of its configuration.
func (s *Server) Reconfigure(ctx context.Context, config string) error {
	s.options.Config = config
	return s.Restart(ctx)
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
