package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/brokertest"
	"github.com/quickube/qscaler/local/postgresserver"
	"github.com/quickube/qscaler/local/postgresserver/postgresservertest"
)

var shared postgresservertest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

func TestSuite(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		Kind:     kindWithBlock(),
		ByWorker: true,
		InFlight: true,
		Rings:    true,
		Ages:     true,
		Rounds:   1,
		Start:    func(t *testing.T) brokertest.Server { return newServer(t) },
		StartTLS: func(t *testing.T, certificate, key []byte) brokertest.Server {
			return serverAt(t, postgresservertest.Start(t, postgresserver.Options{
				Settings: []string{"ssl = on"}, // and passwords by SCRAM
				Files:    map[string][]byte{"server.crt": certificate, "server.key": key},
			}), "postgres")
		},
		SetPassword: func(t *testing.T, s brokertest.Server, password string) {
			own := s.(*server)
			postgresservertest.Do(t, own.Server, own.database, cheaply, fmt.Sprintf("ALTER USER %s PASSWORD '%s'", own.user, password))
			own.password = password
		},
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
	*postgresserver.Server
	t                        *testing.T
	database, user, password string

	mu   sync.Mutex
	conn *pgx.Conn
}

const jobs = `CREATE TABLE jobs (
	id bigserial PRIMARY KEY, queue text NOT NULL, state text NOT NULL DEFAULT 'queued', worker text,
	run_at timestamptz NOT NULL DEFAULT now(), created_at timestamptz NOT NULL DEFAULT clock_timestamp())`

// cheaply has a login take no time: the suite logs in a thousand times.
const cheaply = "SET password_encryption = 'md5'"

const index = `CREATE INDEX jobs_by_queue ON jobs (queue, state, run_at)`

func newServer(t *testing.T) *server {
	t.Helper()
	return serverAt(t, shared.Server(t), shared.Database(t))
}

func serverAt(t *testing.T, s *postgresserver.Server, database string) *server {
	t.Helper()
	own := &server{Server: s, t: t, database: database, user: "app_" + database, password: "first-of-all"}
	statements := []string{jobs, index}
	if s == shared.Server(t) {
		statements = append(statements, cheaply)
	}
	postgresservertest.Do(t, s, database, append(statements,
		fmt.Sprintf("CREATE USER %s PASSWORD '%s'", own.user, own.password), "GRANT SELECT ON jobs TO "+own.user)...)
	t.Cleanup(func() {
		own.mu.Lock()
		defer own.mu.Unlock()
		if own.conn != nil {
			_ = own.conn.Close(context.Background())
		}
	})
	return own
}

func (s *server) block() string {
	return fmt.Sprintf(`{"database":%q,"channel":"jobs","table":{"name":"jobs","queueColumn":"queue","stateColumn":"state",
		"waitingStates":["queued"],"runningStates":["running"],"runAtColumn":"run_at","workerColumn":"worker","createdAtColumn":"created_at"}}`, s.database)
}

func (s *server) Settings() broker.Settings {
	return broker.Settings{
		Host: "127.0.0.1", Port: int32(s.Port()), Username: s.user, Password: broker.NewSecret(s.password), Own: json.RawMessage(s.block()),
	}
}

// do runs a statement, and has how many rows it was about.
func (s *server) do(sql string, args ...any) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		s.conn = postgresservertest.Connect(s.t, s.Server, s.database)
	}
	tag, err := s.conn.Exec(context.Background(), sql, args...)
	if err != nil {
		s.t.Errorf("%s: %v", sql, err)
	}
	return tag.RowsAffected()
}

func (s *server) Push(queue string, n int) {
	s.do("WITH pushed AS (INSERT INTO jobs (queue) SELECT $1 FROM generate_series(1, $2::int)) SELECT pg_notify('jobs', $1)", queue, n)
}

func (s *server) Take(queue string, by broker.Worker, n int) int {
	return int(s.do(`UPDATE jobs SET state = 'running', worker = $2 WHERE id IN (SELECT id FROM jobs
		WHERE queue = $1 AND state = 'queued' AND run_at <= now() ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)`, queue, by.PodName, n))
}

func (s *server) Acknowledge(queue string, by broker.Worker, n int) {
	if n > 0 && s.do(`DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE queue = $1 AND state = 'running' AND worker = $2 LIMIT $3)`, queue, by.PodName, n) != int64(n) {
		s.t.Errorf("%s has not held %d messages of %s", by.PodName, n, queue)
	}
}

func (s *server) Pause()  { s.check(s.Server.Pause()) }
func (s *server) Resume() { s.check(s.Server.Resume()) }

func (s *server) Restart() {
	s.mu.Lock()
	if s.conn != nil {
		_ = s.conn.Close(context.Background())
		s.conn = nil
	}
	s.mu.Unlock()
	s.check(s.Server.Restart(context.Background()))
}

func (s *server) check(err error) {
	if err != nil {
		s.t.Error(err)
	}
}
