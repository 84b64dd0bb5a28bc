// Package mysqlservertest gives tests a real MariaDB, and databases of their own on it.
package mysqlservertest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/quickube/qscaler/local/mysqlserver"
)

// Shared is one server for all tests of a package, which starts when a test first asks for it.
//
//	func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }
type Shared struct {
	server    *mysqlserver.Server
	databases atomic.Int64
}

// Main runs the tests, and stops the server afterwards.
func (s *Shared) Main(m *testing.M) (code int) {
	defer func() {
		if s.server != nil && s.server.Stop() != nil && code == 0 {
			code = 1
		}
	}()
	return m.Run()
}

// Server is the server, which the first call starts. The test fails, and is not skipped, when MariaDB is missing. It must
// not be called by several tests at once.
func (s *Shared) Server(t testing.TB) *mysqlserver.Server {
	t.Helper()
	if s.server == nil {
		server, err := mysqlserver.Start(context.Background(), mysqlserver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.server = server
	}
	return s.server
}

// Database makes an empty database of the test's own, and returns its name.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	Do(t, s.Server(t), "", "CREATE DATABASE "+name)
	return name
}

// Start starts a server of the test's own, and stops it at the test's end.
func Start(t testing.TB, o mysqlserver.Options) *mysqlserver.Server {
	t.Helper()
	s, err := mysqlserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping MariaDB: %v", err)
		}
	})
	return s
}

const connectTimeout = 30 * time.Second

// Open has the administrator's connections to a database, "" for none.
func Open(t testing.TB, s *mysqlserver.Server, database string) *sql.DB {
	t.Helper()
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.DBName = "tcp", s.Addr(), mysqlserver.Admin, database
	config.Timeout, config.MultiStatements, config.ParseTime = connectTimeout, true, true
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Do runs statements as the administrator, each by itself.
func Do(t testing.TB, s *mysqlserver.Server, database string, statements ...string) {
	t.Helper()
	db := Open(t, s, database)
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(statement), err)
		}
	}
}

// RunScript runs all statements of a file.
func RunScript(db *sql.DB, path string) error {
	script, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(context.Background(), string(script))
	return err
}
