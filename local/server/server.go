// Package server runs the server of a broker as processes of this machine: it starts it, waits until it answers, kills,
// pauses, restarts and stops it. The packages beside it know how each server is configured, and how it answers.
//
//	server.go    a server
//	children.go  its processes that no signal to its group reaches
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/quickube/qscaler/local/freeport"
	"github.com/quickube/qscaler/local/process"
)

// Options is how a server runs.
type Options struct {
	// Name is the program's, such as "redis-server", in messages and in the name of its log.
	Name string
	// Dir has the data, the logs and the records of the processes; it is made.
	Dir string
	// Port is a port of 127.0.0.1; 0 takes a free one.
	Port int
	// Command is the command line, before each start: it may write the configuration. It is called once Dir is an absolute path
	// and Port is known.
	Command func(*Server) ([]string, error)
	// Env is what the environment has beside ours, and WorkDir where it works, "" for Dir.
	Env     func(*Server) []string
	WorkDir string
	// Answers reports whether the server does what it is there for.
	Answers func(context.Context, *Server) bool
	// Beside are processes that it needs, by their names: they start before it, and end after it.
	Beside map[string][]string
	// Sessions is true where its processes lead sessions of their own, so that no signal to a group reaches them.
	Sessions bool
	// StartTimeout is how long it may take until it answers, and StopGrace until it has ended. StopWith asks it to end; 0 is
	// SIGTERM.
	StartTimeout, StopGrace time.Duration
	StopWith                syscall.Signal
}

// Server is a server of our own.
type Server struct {
	options  Options
	launcher *process.Launcher
	process  *process.Process
	beside   []*process.Process
}

// answerEvery is how often a server that starts is asked.
const answerEvery = 20 * time.Millisecond

// Start starts a server and returns when it answers. A server that a killed predecessor left in Dir is ended first.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{options: o}
	if err := s.first(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s, %w", o.Name, err), s.Stop())
	}
	return s, nil
}

func (s *Server) first(ctx context.Context) (err error) {
	if s.options.Dir, err = filepath.Abs(s.options.Dir); err != nil {
		return err
	}
	if s.options.Port == 0 {
		if s.options.Port, err = freeport.Find(); err != nil {
			return err
		}
	}
	if s.launcher, _, err = process.NewLauncher(s.File("processes")); err != nil {
		return err
	}
	for name, argv := range s.options.Beside {
		p, err := s.launch(name, argv)
		if err != nil {
			return err
		}
		s.beside = append(s.beside, p)
	}
	return s.start(ctx)
}

func (s *Server) launch(name string, argv []string) (*process.Process, error) {
	env := os.Environ()
	if s.options.Env != nil {
		env = append(env, s.options.Env(s)...)
	}
	dir := s.options.WorkDir
	if dir == "" {
		dir = s.options.Dir
	}
	return s.launcher.Start(process.Command{Name: name, Argv: argv, Env: env, Dir: dir, Log: s.File(name + ".log")})
}

func (s *Server) start(ctx context.Context) error {
	argv, err := s.options.Command(s)
	if err != nil {
		return err
	}
	p, err := s.launch(s.options.Name, argv)
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(ctx, s.options.StartTimeout)
	defer cancel()
	ticker := time.NewTicker(answerEvery)
	defer ticker.Stop()
	for !s.options.Answers(ctx, s) {
		select {
		case <-p.Done():
			return fmt.Errorf("it ended with code %d; its log is %s", p.Exit().Code, s.Log())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("it does not answer; its log is %s", s.Log()), s.Kill())
		case <-ticker.C:
		}
	}
	return nil
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.options.Port)) }

// Port is the port.
func (s *Server) Port() int { return s.options.Port }

// Dir has the data and the logs.
func (s *Server) Dir() string { return s.options.Dir }

// File is the path of a file there.
func (s *Server) File(name string) string { return filepath.Join(s.options.Dir, name) }

// Log is the path of the server's log.
func (s *Server) Log() string { return s.File(s.options.Name + ".log") }

// String names the server for a person.
func (s *Server) String() string { return s.options.Name + " at " + s.Addr() }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() error {
	children, err := s.children()
	if err != nil {
		return err
	}
	// The first process goes first: it starts no other in the place of one that is killed.
	if err := s.process.Stop(0); err != nil {
		return err
	}
	if err := s.signalEach(syscall.SIGKILL, children); err != nil {
		return err
	}
	return s.awaitGone(children)
}

// Restart starts the server again, on the same port with the same data. It kills one that still runs.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("starting %s again, %w", s.options.Name, err)
	}
	return nil
}

// Pause stops the server in its tracks: connections stay open and nothing answers.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// signal reaches the first process with its group, and then those that it has started until then.
func (s *Server) signal(sig syscall.Signal) error {
	if err := s.process.SignalGroup(sig); err != nil {
		return err
	}
	children, err := s.children()
	if err != nil {
		return err
	}
	return s.signalEach(sig, children)
}

// Stop ends the server. Its data stay in Dir.
func (s *Server) Stop() error {
	if s.launcher == nil {
		return nil
	}
	defer s.launcher.Close()
	err := s.end()
	for _, p := range s.beside {
		err = errors.Join(err, p.Stop(0))
	}
	return err
}

func (s *Server) end() error {
	if s.process == nil {
		return nil
	}
	_ = s.Resume()
	stopWith := s.options.StopWith
	if stopWith == 0 {
		stopWith = syscall.SIGTERM
	}
	if err := s.process.Signal(stopWith); err != nil {
		return err
	}
	timer := time.NewTimer(s.options.StopGrace)
	defer timer.Stop()
	select {
	case <-s.process.Done():
		return nil
	case <-timer.C:
		return s.Kill()
	}
}
