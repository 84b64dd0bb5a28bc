// Package postgresservertest gives tests a real PostgreSQL, and databases of their own on it.
package postgresservertest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quickube/qscaler/local/postgresserver"
)

// Shared is one server for all tests of a package, which starts when a test first asks for it.
//
//	func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }
type Shared struct {
	server    *postgresserver.Server
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

// Server is the server, which the first call starts. The test fails, and is not skipped, when PostgreSQL is missing. It
// must not be called by several tests at once.
func (s *Shared) Server(t testing.TB) *postgresserver.Server {
	t.Helper()
	if s.server == nil {
		server, err := postgresserver.Start(context.Background(), postgresserver.Options{})
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
	Do(t, s.Server(t), postgresserver.Admin, "CREATE DATABASE "+name)
	return name
}

// Start starts a server of the test's own, and stops it at the test's end.
func Start(t testing.TB, o postgresserver.Options) *postgresserver.Server {
	t.Helper()
	s, err := postgresserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping PostgreSQL: %v", err)
		}
	})
	return s
}

const connectTimeout = 30 * time.Second

// Connect connects as the administrator.
func Connect(t testing.TB, s *postgresserver.Server, database string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://%s@%s/%s?sslmode=prefer", postgresserver.Admin, s.Addr(), database))
	if err != nil {
		t.Fatalf("connecting to PostgreSQL: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Do runs statements as the administrator, each by itself.
func Do(t testing.TB, s *postgresserver.Server, database string, statements ...string) {
	t.Helper()
	conn := Connect(t, s, database)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(statement), err)
		}
	}
}

// RunScript runs all statements of a file, as psql does.
func RunScript(conn *pgx.Conn, path string) error {
	script, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = conn.PgConn().Exec(context.Background(), string(script)).ReadAll()
	return err
}
