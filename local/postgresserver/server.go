// Package postgresserver brings up a real PostgreSQL on loopback, for local mode and for tests: it finds the programs,
// makes the data, and starts, kills, pauses and restarts the server.
package postgresserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quickube/qscaler/local/server"
)

// Admin is the user that may do everything, and needs no password on this machine. All others need theirs.
const Admin = "postgres"

// Options is how a server runs.
type Options struct {
	// Dir has the data, the log and the record of the process; it is made. "" makes a temporary one, which Stop removes. As
	// root, the server runs as another user, who must be able to enter the directories above it.
	Dir string
	// Port is a port of 127.0.0.1; 0 takes a free one.
	Port int
	// Settings are lines of postgresql.conf, such as "ssl = on"; they go before ours.
	Settings []string
	// Files are further files of the data directory, such as "server.key", which only the server may read.
	Files map[string][]byte
}

// Server is a PostgreSQL of our own.
type Server struct {
	*server.Server
	options Options
	bin     string
	runner  runner
	// temporary is a directory to be removed, "" for none.
	temporary string
}

// ours are settings of every server. What it has confirmed is still there after its processes were killed; after the end of
// the machine it is not, which makes it quick.
const ours = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
autovacuum_naptime = 5min
jit = off
`

// access lets the administrator in without a password, and everybody else with one, by SCRAM unless it was stored otherwise.
const access = `
host all ` + Admin + ` 127.0.0.0/8 trust
host all all 127.0.0.0/8 md5
host replication ` + Admin + ` 127.0.0.0/8 trust
`

// Start starts a server and returns when it answers. It makes the data where Dir has none. A server that a killed
// predecessor left in Dir is ended first.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := Find()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, bin: bin}
	if s.runner, err = findRunner(); err != nil {
		return nil, err
	}
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("starting PostgreSQL, %w", err)
	}
	s.Server, err = server.Start(ctx, server.Options{
		Name: "postgres", Dir: s.options.Dir, Port: o.Port, Command: s.command, WorkDir: "/", Answers: answers, Sessions: true,
		StartTimeout: 30 * time.Second, StopGrace: 10 * time.Second,
		StopWith: syscall.SIGINT, // it ends the connections, where SIGTERM would wait for them
	})
	if err != nil {
		return nil, errors.Join(err, s.clean())
	}
	return s, nil
}

func (s *Server) makeDir() (err error) {
	if s.options.Dir == "" {
		if s.temporary, err = os.MkdirTemp("", "qscaler-postgres-"); err != nil {
			return err
		}
		s.options.Dir = s.temporary
	}
	if s.options.Dir, err = filepath.Abs(s.options.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.options.Dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(s.options.Dir, 0o755) // a temporary one is only its owner's
}

func (s *Server) command(run *server.Server) ([]string, error) {
	if s.Server == nil { // the first time
		if err := s.makeData(); err != nil {
			return nil, err
		}
	}
	return s.runner.command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", strconv.Itoa(run.Port())), nil
}

func (s *Server) data() string { return filepath.Join(s.options.Dir, "data") }

// makeData makes the data where there are none, and writes the settings.
func (s *Server) makeData() error {
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(s.data(), 0o700); err != nil {
			return err
		}
		if err := s.runner.own(s.data()); err != nil {
			return err
		}
		if err := s.runner.initialise(s.bin, s.data()); err != nil {
			return err
		}
	}
	files := map[string][]byte{"postgresql.conf": []byte(strings.Join(s.options.Settings, "\n") + ours)}
	if _, own := s.options.Files["pg_hba.conf"]; !own {
		files["pg_hba.conf"] = []byte(access)
	}
	for name, content := range s.options.Files {
		files[name] = content
	}
	for name, content := range files {
		path := filepath.Join(s.data(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		if err := s.runner.own(path); err != nil {
			return err
		}
	}
	return nil
}

// answers reports whether a server takes connections: while it starts, it answers with an error.
func answers(ctx context.Context, s *server.Server) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	words := "\x00\x03\x00\x00user\x00" + Admin + "\x00database\x00" + Admin + "\x00\x00"
	if _, err := conn.Write(append([]byte{0, 0, 0, byte(4 + len(words))}, words...)); err != nil {
		return false
	}
	kind := make([]byte, 1)
	_, err = io.ReadFull(conn, kind)
	return err == nil && kind[0] == 'R'
}

// String names the server for a person.
func (s *Server) String() string { return "PostgreSQL at " + s.Addr() }

// Stop ends the server. Its data stay in Dir, unless that is a temporary one.
func (s *Server) Stop() error { return errors.Join(s.Server.Stop(), s.clean()) }

func (s *Server) clean() error {
	if s.temporary == "" {
		return nil
	}
	return os.RemoveAll(s.temporary)
}

// standby is the file that makes a server replay what another writes. Without another it waits for more.
const standby = "standby.signal"

// Demote makes the server a standby, as a failover does: it restarts, and takes no writes.
func (s *Server) Demote(ctx context.Context) error {
	path := filepath.Join(s.data(), standby)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return fmt.Errorf("making a standby, %w", err)
	}
	if err := s.runner.own(path); err != nil {
		return fmt.Errorf("making a standby, %w", err)
	}
	return s.Restart(ctx)
}

// Promote makes a standby the primary again.
func (s *Server) Promote(ctx context.Context) error {
	if err := os.Remove(filepath.Join(s.data(), standby)); err != nil {
		return fmt.Errorf("promoting a standby, %w", err)
	}
	return s.Restart(ctx)
}
