package mysqlserver_test

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/local/mysqlserver"
	"github.com/quickube/qscaler/local/mysqlserver/mysqlservertest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *sql.DB, timeout time.Duration) (n int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM jobs").Scan(&n)
	return n, err
}

// One server for all of it: what was confirmed is still there after kill -9, a paused server answers nothing, and only the
// administrator needs no password. A temporary directory goes with the server.
func TestAServer(t *testing.T) {
	s, err := mysqlserver.Start(t.Context(), mysqlserver.Options{})
	check(t, err)
	stopped := false
	defer func() {
		if !stopped {
			_ = s.Stop()
		}
	}()
	mysqlservertest.Do(t, s, "", "CREATE DATABASE app", "CREATE TABLE app.jobs (id int)", "INSERT INTO app.jobs VALUES (1), (2), (3)", "CREATE USER app IDENTIFIED BY 'pw'")
	db := mysqlservertest.Open(t, s, "app")
	address := s.Addr()
	check(t, s.Restart(t.Context()))
	if n, err := count(t, db, 30*time.Second); err != nil || n != 3 || s.Addr() != address {
		t.Errorf("after a restart at %s, there are %d rows at %s, %v; want 3", address, n, s.Addr(), err)
	}
	check(t, s.Pause())
	if n, err := count(t, db, 300*time.Millisecond); err == nil {
		t.Errorf("it answers %d while it is paused", n)
	}
	check(t, s.Resume())
	if n, err := count(t, db, 30*time.Second); err != nil || n != 3 {
		t.Errorf("after a pause, there are %d rows, %v; want 3", n, err)
	}
	for password, want := range map[string]bool{"pw": true, "other": false} {
		app, err := sql.Open("mysql", "app:"+password+"@tcp("+s.Addr()+")/")
		check(t, err)
		if err = app.PingContext(t.Context()); (err == nil) != want {
			t.Errorf("the password %q: %v, want to be let in: %t", password, err, want)
		}
		check(t, app.Close())
	}
	log := s.Log()
	stopped = true
	check(t, s.Stop())
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("its log is still there: %v", err)
	}
}

func TestAServerThatDoesNotStartSaysWhere(t *testing.T) {
	_, err := mysqlserver.Start(t.Context(), mysqlserver.Options{Settings: []string{"no_such_setting = 1"}})
	if err == nil || !strings.Contains(err.Error(), "its log is ") {
		t.Errorf("Start = %v, want where its log is", err)
	}
}
