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
	"strings"
	"time"

	"github.com/quickube/qscaler/local/server"
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
	*server.Server
	options Options
}

// Start starts a server and returns when it answers. It keeps every message that it has confirmed, also through Kill. A
// server that a killed predecessor left in Dir is ended first.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{options: o}
	var err error
	s.Server, err = server.Start(ctx, server.Options{
		Name: programName, Dir: o.Dir, Port: o.Port, Command: s.configure, Answers: answers,
		StartTimeout: 30 * time.Second, StopGrace: 5 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// configure writes the server's configuration.
func (s *Server) configure(run *server.Server) ([]string, error) {
	file := run.File("nats.conf")
	text := fmt.Sprintf("host: 127.0.0.1\nport: %d\nserver_name: qscaler-%d\njetstream {store_dir: %q}\n%s\n",
		run.Port(), run.Port(), run.File("data"), s.options.Config)
	return []string{s.options.Program, "-c", file}, os.WriteFile(file, []byte(text), 0o600)
}

// answers reports whether a server speaks on the address: it listens once JetStream is ready, and speaks first. One that
// wants TLS first says nothing; that it takes the connection is enough then.
func answers(ctx context.Context, s *server.Server) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	line, err := bufio.NewReaderSize(conn, 16<<10).ReadString('\n')
	var late net.Error
	return strings.HasPrefix(line, "INFO ") || (errors.As(err, &late) && late.Timeout())
}

// Reconfigure restarts the server with another text of its configuration.
func (s *Server) Reconfigure(ctx context.Context, config string) error {
	s.options.Config = config
	return s.Restart(ctx)
}
