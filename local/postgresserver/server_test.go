package postgresserver_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quickube/qscaler/local/postgresserver"
	"github.com/quickube/qscaler/local/postgresserver/postgresservertest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, conn *pgx.Conn, timeout time.Duration) (n int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	err = conn.QueryRow(ctx, "SELECT count(*) FROM jobs").Scan(&n)
	return n, err
}

// One server for all of it: what was confirmed is still there after kill -9, a paused server answers nothing, and only the
// administrator needs no password. A temporary directory goes with the server.
func TestAServer(t *testing.T) {
	s, err := postgresserver.Start(t.Context(), postgresserver.Options{})
	check(t, err)
	stopped := false
	defer func() {
		if !stopped {
			_ = s.Stop()
		}
	}()
	postgresservertest.Do(t, s, "postgres", "CREATE TABLE jobs (id int)", "INSERT INTO jobs SELECT generate_series(1, 3)", "CREATE USER app PASSWORD 'pw'")
	conn := postgresservertest.Connect(t, s, "postgres")
	address := s.Addr()
	check(t, s.Restart(t.Context()))
	if _, err := count(t, conn, 5*time.Second); err == nil {
		t.Error("a connection has survived the server")
	}
	conn = postgresservertest.Connect(t, s, "postgres")
	if n, err := count(t, conn, 30*time.Second); err != nil || n != 3 || s.Addr() != address {
		t.Errorf("after a restart at %s, there are %d rows at %s, %v; want 3", address, n, s.Addr(), err)
	}
	check(t, s.Pause())
	if n, err := count(t, conn, 300*time.Millisecond); err == nil {
		t.Errorf("it answers %d while it is paused", n)
	}
	check(t, s.Resume())
	conn = postgresservertest.Connect(t, s, "postgres")
	if n, err := count(t, conn, 30*time.Second); err != nil || n != 3 {
		t.Errorf("after a pause, there are %d rows, %v; want 3", n, err)
	}
	for password, want := range map[string]bool{"pw": true, "other": false} {
		app, err := pgx.Connect(t.Context(), "postgres://app:"+password+"@"+s.Addr()+"/postgres")
		if (err == nil) != want {
			t.Errorf("the password %q: %v, want to be let in: %t", password, err, want)
		}
		if err == nil {
			check(t, app.Close(t.Context()))
		}
	}
	log := s.Log()
	stopped = true
	check(t, s.Stop())
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("its log is still there: %v", err)
	}
}

func TestAServerThatDoesNotStartSaysWhere(t *testing.T) {
	_, err := postgresserver.Start(t.Context(), postgresserver.Options{Settings: []string{"no_such_setting = 1"}})
	if err == nil || !strings.Contains(err.Error(), "its log is ") {
		t.Errorf("Start = %v, want where its log is", err)
	}
}
