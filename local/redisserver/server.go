// Package redisserver brings up a real redis-server on loopback, for local mode and for tests: it finds or
// installs the program, and starts, kills, pauses and restarts it.
package redisserver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/quickube/qscaler/local/server"
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
type Server struct{ *server.Server }

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
	s, err := server.Start(ctx, server.Options{
		Name: "redis-server", Dir: o.Dir, Port: o.Port, Answers: answers, StartTimeout: 15 * time.Second, StopGrace: 5 * time.Second,
		Command: func(s *server.Server) ([]string, error) {
			arguments, err := o.arguments(s)
			return append([]string{o.Program}, arguments...), err
		},
	})
	if err != nil {
		return nil, err
	}
	return &Server{s}, nil
}

// arguments are those of the program. A Sentinel has a file, in which it writes what it learns; one that is there is kept.
func (o Options) arguments(s *server.Server) ([]string, error) {
	if o.Sentinel == "" {
		return append([]string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port()), "--dir", s.Dir(),
			"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
		}, o.Args...), nil
	}
	path := s.File("sentinel.conf")
	if _, err := os.Stat(path); err == nil {
		return []string{path, "--sentinel"}, nil
	}
	config := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\n%s", s.Port(), s.Dir(), o.Sentinel)
	return []string{path, "--sentinel"}, os.WriteFile(path, []byte(config), 0o600)
}

// answers reports whether a server speaks on the address; that it wants a password is an answer.
func answers(ctx context.Context, s *server.Server) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.Addr())
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
