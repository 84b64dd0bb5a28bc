package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/mysqlserver"
	"github.com/quickube/qscaler/local/mysqlserver/mysqlservertest"
)

var shared mysqlservertest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

func TestSuite(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind:     kindWithBlock(),
		ByWorker: true,
		InFlight: true,
		Ages:     true,
		Queues:   300,
		Rounds:   1,
		Start:    func(t *testing.T) brokertest.Server { return newServer(t) },
		StartTLS: func(t *testing.T, certificate, key []byte) brokertest.Server {
			s := serverAt(t, startTLS(t, certificate, key), "app")
			s.do("ALTER USER " + s.user + " REQUIRE SSL")
			return s
		},
		SetPassword: func(t *testing.T, s brokertest.Server, password string) {
			own := s.(*server)
			own.do(fmt.Sprintf("ALTER USER %s IDENTIFIED BY '%s'", own.user, password))
			own.password = password
		},
	})
}

func startTLS(t *testing.T, certificate, key []byte) *mysqlserver.Server {
	t.Helper()
	return mysqlservertest.Start(t, mysqlserver.Options{
		Settings: []string{"ssl_cert = server.crt", "ssl_key = server.key"},
		Files:    map[string][]byte{"server.crt": certificate, "server.key": key},
	})
}

// kindWithBlock takes settings without a block, of which the suite makes some itself.
func kindWithBlock() broker.Kind {
	kind := Kind()
	kind.Parse = func(s broker.Settings) (broker.Config, error) {
		if s.Own == nil {
			s.Own = json.RawMessage(`{"database":"none","table":{"name":"jobs","queueColumn":"queue","lockedAtColumn":"locked_at"}}`)
		}
		if s.Username == "" {
			s.Username = "nobody"
		}
		return parse(s)
	}
	return kind
}

// server is a database with a table, a producer and workers.
type server struct {
	*mysqlserver.Server
	t                        *testing.T
	database, user, password string

	mu sync.Mutex
	db *sql.DB
}

const jobs = `CREATE TABLE jobs (
	id bigint AUTO_INCREMENT PRIMARY KEY, queue varchar(255) COLLATE utf8mb4_bin NOT NULL, state varchar(20) NOT NULL DEFAULT 'queued', worker varchar(255),
	run_at datetime(6) NOT NULL DEFAULT now(6), created_at timestamp(6) NOT NULL DEFAULT now(6), INDEX jobs_by_queue (queue, state, run_at))`

func newServer(t *testing.T) *server {
	t.Helper()
	return serverAt(t, shared.Server(t), shared.Database(t))
}

func serverAt(t *testing.T, s *mysqlserver.Server, database string) *server {
	t.Helper()
	own := &server{Server: s, t: t, database: database, user: "qs_" + database, password: "first-of-all"}
	mysqlservertest.Do(t, s, "", "CREATE DATABASE IF NOT EXISTS "+database)
	own.db = mysqlservertest.Open(t, s, database)
	own.do(jobs)
	own.do(fmt.Sprintf("CREATE USER %s IDENTIFIED BY '%s'", own.user, own.password))
	own.do("GRANT SELECT ON jobs TO " + own.user)
	return own
}

func (s *server) block() string {
	return fmt.Sprintf(`{"database":%q,"table":{"name":"jobs","queueColumn":"queue","stateColumn":"state",
		"waitingStates":["queued"],"runningStates":["running"],"runAtColumn":"run_at","workerColumn":"worker","createdAtColumn":"created_at"}}`, s.database)
}

func (s *server) Settings() broker.Settings {
	return broker.Settings{
		Host: "127.0.0.1", Port: int32(s.Port()), Username: s.user, Password: broker.NewSecret(s.password), Own: json.RawMessage(s.block()),
	}
}

// do runs a statement, and has how many rows it was about. One goes after the other: two that take rows would deadlock.
func (s *server) do(statement string, args ...any) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.db.ExecContext(context.Background(), statement, args...)
	if err != nil {
		s.t.Errorf("%s: %v", statement, err)
		return 0
	}
	n, _ := result.RowsAffected()
	return n
}

func (s *server) Push(queue string, n int) {
	if n > 0 {
		s.do(fmt.Sprintf("INSERT INTO jobs (queue) SELECT ? FROM seq_1_to_%d", n), queue)
	}
}

func (s *server) Take(queue string, by broker.Worker, n int) int {
	return int(s.do("UPDATE jobs SET state = 'running', worker = ? WHERE queue = ? AND state = 'queued' AND run_at <= now(6) ORDER BY id LIMIT ?", by.PodName, queue, n))
}

func (s *server) Acknowledge(queue string, by broker.Worker, n int) {
	if n > 0 && s.do("DELETE FROM jobs WHERE queue = ? AND state = 'running' AND worker = ? ORDER BY id LIMIT ?", queue, by.PodName, n) != int64(n) {
		s.t.Errorf("%s has not held %d messages of %s", by.PodName, n, queue)
	}
}

func (s *server) Pause()  { s.check(s.Server.Pause()) }
func (s *server) Resume() { s.check(s.Server.Resume()) }

func (s *server) Restart() {
	s.check(s.Server.Restart(context.Background()))
	_ = s.db.Close()
	s.db = mysqlservertest.Open(s.t, s.Server, s.database)
}

func (s *server) check(err error) {
	if err != nil {
		s.t.Error(err)
	}
}
