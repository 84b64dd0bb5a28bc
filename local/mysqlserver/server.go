// Package mysqlserver brings up a real MariaDB on loopback, for local mode and for tests: it finds the programs, makes the
// data, and starts, kills, pauses and restarts the server.
package mysqlserver

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
const Admin = "root"

// Options is how a server runs.
type Options struct {
	// Dir has the data, the log and the record of the process; it is made. "" makes a temporary one, which Stop removes.
	Dir string
	// Port is a port of 127.0.0.1; 0 takes a free one.
	Port int
	// Settings are lines of the section [mysqld] of my.cnf, such as "ssl_cert = server.crt"; they go before ours.
	Settings []string
	// Files are further files of the data directory, such as "server.key", which only the server may read.
	Files map[string][]byte
}

// Server is a MariaDB of our own.
type Server struct {
	*server.Server
	options  Options
	programs programs
	// temporary is a directory to be removed, "" for none.
	temporary string
}

// ours are settings of every server. What it has confirmed is still there after its process was killed; after the end of the
// machine it is not, which makes it quick. Relative paths begin in the data directory.
const ours = `
bind_address = 127.0.0.1
socket = mysql.sock
pid_file = mysql.pid
skip_log_bin
skip_name_resolve
innodb_flush_log_at_trx_commit = 2
innodb_doublewrite = 0
innodb_flush_method = nosync
innodb_log_file_size = 8M
innodb_buffer_pool_size = 16M
innodb_use_native_aio = 0
aria_pagecache_buffer_size = 2M
key_buffer_size = 1M
performance_schema = off
character_set_server = utf8mb4
`

// Start starts a server and returns when it answers. It makes the data where Dir has none. A server that a killed
// predecessor left in Dir is ended first.
func Start(ctx context.Context, o Options) (*Server, error) {
	p, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, programs: p}
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("starting MariaDB, %w", err)
	}
	how := server.Options{
		Name: "mariadbd", Dir: s.options.Dir, Port: o.Port, Command: s.command, Answers: answers,
		StartTimeout: 60 * time.Second, StopGrace: 10 * time.Second,
	}
	if s.temporary != "" {
		how.StopWith = syscall.SIGKILL // nobody reads what it would write down
	}
	if s.Server, err = server.Start(ctx, how); err != nil {
		return nil, errors.Join(err, s.clean())
	}
	return s, nil
}

func (s *Server) makeDir() (err error) {
	if s.options.Dir == "" {
		if s.temporary, err = os.MkdirTemp("", "qscaler-mysql-"); err != nil {
			return err
		}
		s.options.Dir = s.temporary
	}
	if s.options.Dir, err = filepath.Abs(s.options.Dir); err != nil {
		return err
	}
	return os.MkdirAll(s.options.Dir, 0o700)
}

func (s *Server) command(run *server.Server) ([]string, error) {
	if s.Server == nil { // the first time
		if err := s.makeData(); err != nil {
			return nil, err
		}
	}
	return append([]string{s.programs.server, "--defaults-file=" + s.settings(), "--datadir=" + s.data(), "--port=" + strconv.Itoa(run.Port())}, asRoot()...), nil
}

func (s *Server) data() string     { return filepath.Join(s.options.Dir, "data") }
func (s *Server) settings() string { return filepath.Join(s.options.Dir, "my.cnf") }

// makeData makes the data where there are none, and writes the settings.
func (s *Server) makeData() error {
	if _, err := os.Stat(filepath.Join(s.data(), "mysql")); errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(s.data(), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(s.settings(), []byte("[mysqld]\n"+ours), 0o600); err != nil {
			return err
		}
		if err := s.programs.initialise(s.settings(), s.data()); err != nil {
			return err
		}
	}
	for name, content := range s.options.Files {
		if err := os.WriteFile(filepath.Join(s.data(), name), content, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(s.settings(), []byte("[mysqld]\n"+strings.Join(s.options.Settings, "\n")+ours), 0o600)
}

// answers reports whether a server greets: it speaks first, in version 10 of its protocol.
func answers(ctx context.Context, s *server.Server) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	head := make([]byte, 5)
	_, err = io.ReadFull(conn, head)
	return err == nil && head[4] == 10
}

// String names the server for a person.
func (s *Server) String() string { return "MariaDB at " + s.Addr() }

// Stop ends the server. Its data stay in Dir, unless that is a temporary one.
func (s *Server) Stop() error { return errors.Join(s.Server.Stop(), s.clean()) }

func (s *Server) clean() error {
	if s.temporary == "" {
		return nil
	}
	return os.RemoveAll(s.temporary)
}
