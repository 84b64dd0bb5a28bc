package brokers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/postgresserver"
)

// The database, and the user who owns it, with the password where nobody asks for another.
const (
	postgresDatabase = "app"
	postgresUser     = "app"
	postgresPassword = "app"
)

// postgresAnswer is how long the server may take for an answer.
const postgresAnswer = 10 * time.Second

// Postgres is a real PostgreSQL. Its queues are rows of the example worker's table.
func Postgres() Broker {
	return Broker{
		Name: "postgres", Start: startPostgres, Config: postgresConfig,
		Image: exampleworkers.Postgres, Example: "worker-postgres", QWorker: "example-worker-postgres", ScalerConfig: "postgres",
		MissingWorker: missingPsycopg, Verb: "INSERT", Connect: connectPostgres, Push: pushPostgres, MissingClient: missingPsql,
	}
}

func missingPsycopg(ctx context.Context) error {
	_, err := exampleworkers.PythonWith(ctx, "psycopg")
	return err
}

// startPostgres makes the user, its database and the table, too.
func startPostgres(ctx context.Context, o Options) (Server, error) {
	schema, err := exampleSchema()
	if err != nil {
		return nil, err
	}
	o.Progress("starting PostgreSQL")
	options := postgresserver.Options{Dir: o.Dir}
	if os.Geteuid() == 0 { // it runs as another user then, who may not enter our directories
		options.Dir = ""
	}
	server, err := postgresserver.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := makeTable(ctx, server, cmp.Or(o.Password, postgresPassword), schema); err != nil {
		return nil, errors.Join(fmt.Errorf("making the table of the %s, %w", server, err), server.Stop())
	}
	return server, nil
}

// exampleSchema is the text of the example's schema.sql.
func exampleSchema() (string, error) {
	root, err := exampleworkers.Root()
	if err != nil {
		return "", fmt.Errorf("the table is that of examples/worker-postgres, %w", err)
	}
	text, err := os.ReadFile(filepath.Join(root, "examples", "worker-postgres", "schema.sql"))
	return string(text), err
}

func makeTable(ctx context.Context, server *postgresserver.Server, password, schema string) error {
	admin, err := dialPostgres(ctx, server, url.User(postgresserver.Admin), postgresserver.Admin)
	if err != nil {
		return err
	}
	defer closePostgres(admin)
	// A statement that makes a role takes no parameter.
	var quoted string
	if err := admin.QueryRow(ctx, "SELECT quote_literal($1::text)", password).Scan(&quoted); err != nil {
		return err
	}
	for _, statement := range []string{
		"CREATE ROLE " + postgresUser + " LOGIN PASSWORD " + quoted,
		"CREATE DATABASE " + postgresDatabase + " OWNER " + postgresUser,
	} {
		if _, err := admin.Exec(ctx, statement); err != nil {
			return err
		}
	}
	owner, err := dialPostgres(ctx, server, url.UserPassword(postgresUser, password), postgresDatabase)
	if err != nil {
		return err
	}
	defer closePostgres(owner)
	_, err = owner.PgConn().Exec(ctx, schema).ReadAll()
	return err
}

func postgresConfig(server Server, password *v1alpha1.PasswordSource) v1alpha1.ScalerConfigSpec {
	if password == nil {
		password = &v1alpha1.PasswordSource{Value: ptr.To(postgresPassword)}
	}
	return v1alpha1.ScalerConfigSpec{Type: v1alpha1.BrokerPostgres, Config: v1alpha1.BrokerConfig{
		Host: "127.0.0.1", Port: ptr.To(intstr.FromInt(server.Port())), Username: postgresUser, Password: password,
		Postgres: &v1alpha1.PostgresConfig{
			Database: postgresDatabase, Channel: "jobs",
			Table: &v1alpha1.SQLTable{
				Name: "jobs", QueueColumn: "queue", StateColumn: "state", WaitingStates: []string{"queued"}, RunningStates: []string{"running"},
				RunAtColumn: "run_at", WorkerColumn: "worker", CreatedAtColumn: "created_at",
			},
		},
	}}
}

// pushPostgres is the administrator's, who needs no password.
func pushPostgres(server Server) string {
	return `psql -q -h 127.0.0.1 -p ` + strconv.Itoa(server.Port()) + ` -U ` + postgresserver.Admin + ` ` + postgresDatabase +
		` -c "INSERT INTO jobs (queue, payload) SELECT 'task-queue', '{\"id\":\"t-' || i || '\",\"ms\":5000}' FROM generate_series(1, 6) AS i"`
}

func missingPsql() string {
	if _, err := exec.LookPath("psql"); err != nil {
		return "psql is not in the PATH: on Debian and Ubuntu, apt-get install postgresql-client"
	}
	return ""
}

// postgresQueue is the rows of one queue.
type postgresQueue struct {
	name string

	mu   sync.Mutex // a connection does one thing at a time
	conn *pgx.Conn
}

func connectPostgres(ctx context.Context, server Server, password, queue string) (Queue, error) {
	conn, err := dialPostgres(ctx, server, url.UserPassword(postgresUser, cmp.Or(password, postgresPassword)), postgresDatabase)
	if err != nil {
		return nil, err
	}
	return &postgresQueue{conn: conn, name: queue}, nil
}

func dialPostgres(ctx context.Context, server Server, user *url.Userinfo, database string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, postgresAnswer)
	defer cancel()
	address := url.URL{Scheme: "postgres", User: user, Host: server.Addr(), Path: database, RawQuery: "sslmode=disable"}
	conn, err := pgx.Connect(ctx, address.String())
	if err != nil {
		return nil, fmt.Errorf("connecting to the %s, %w", server, err)
	}
	return conn, nil
}

func closePostgres(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), postgresAnswer)
	defer cancel()
	_ = conn.Close(ctx)
}

// Push is Queue's.
func (q *postgresQueue) Push(ctx context.Context, payload string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, err := q.conn.Exec(ctx, "INSERT INTO jobs (queue, payload) VALUES ($1, $2)", q.name, payload)
	return err
}

// Depth is Queue's: a job that is done is not in the table any more.
func (q *postgresQueue) Depth(ctx context.Context, _ []string) (waiting, inFlight int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	const counts = "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running') FROM jobs WHERE queue = $1"
	err = q.conn.QueryRow(ctx, counts, q.name).Scan(&waiting, &inFlight)
	return waiting, inFlight, err
}

// Payloads is Queue's.
func (q *postgresQueue) Payloads(ctx context.Context) ([]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	rows, err := q.conn.Query(ctx, "SELECT payload FROM jobs WHERE queue = $1", q.name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Close is Queue's.
func (q *postgresQueue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	closePostgres(q.conn)
}
