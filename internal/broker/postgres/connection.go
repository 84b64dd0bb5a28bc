package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	dialTimeout = 3 * time.Second
	// replyTimeout bounds a read whose caller sets no deadline: a server that hangs closes nothing.
	replyTimeout = 5 * time.Second
	// statementTimeout is how long the server works on one statement, and lockTimeout how long it waits for a lock, such as
	// that of a migration. The server ends it by itself: it does not notice a client that is gone.
	statementTimeout = 3 * time.Second
	lockTimeout      = time.Second
)

// connection is one connection to a server. After an error it is of no use.
type connection struct {
	*pgconn.PgConn
	guard *guard
}

// dial connects. What the server notifies of goes to notified.
func dial(ctx context.Context, c Config, notified func(payload string)) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn := &connection{}
	config, err := conn.config(c, notified)
	if err != nil {
		return nil, err
	}
	if conn.PgConn, err = pgconn.ConnectConfig(ctx, config); err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	return conn, nil
}

// config is the library's. It takes what is not given from the environment of this process, so that all is given.
func (c *connection) config(to Config, notified func(string)) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig("host=127.0.0.1 port=5432 user=nobody password=none dbname=none passfile=/dev/null sslmode=disable sslcert='' sslkey='' sslrootcert='' target_session_attrs=any")
	if err != nil {
		return nil, fmt.Errorf("making a configuration, %w", err)
	}
	config.Host, config.Port, config.Database = to.Host, uint16(to.Port), to.Block.Database
	config.User, config.Password = to.Username, to.Password.Reveal()
	config.RuntimeParams = map[string]string{"application_name": "qscaler", "client_encoding": "UTF8"}
	config.Fallbacks, config.ValidateConnect, config.ConnectTimeout = nil, nil, dialTimeout
	config.MaxProtocolMessageBodyLen = longestMessage
	if to.TLS != nil {
		config.TLSConfig = to.TLS.Clone()
	} else {
		config.RequireAuth = "!password" // nobody on the way is to read it
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer tries all addresses
	dialled := false
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialled { // the library would connect again to cancel a statement; the server's own time-out does
			return nil, net.ErrClosed
		}
		dialled = true
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	config.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		c.guard = newGuard(conn, notified)
		return c.guard, nil
	}
	return config, nil
}

// settings are what holds for one transaction. Times are compared in UTC.
const settings = `SELECT pg_catalog.set_config('statement_timeout', $1, true), pg_catalog.set_config('lock_timeout', $2, true),
pg_catalog.set_config('search_path', $3, true), pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.pg_is_in_recovery()`

// errReplica is the answer of a server that replays what another has written.
var errReplica = errors.New("the server is a standby")

// answer takes the rows of a statement. Columns comes before them.
type answer struct {
	columns func(names []string) error
	row     func(values [][]byte) error
}

// ask runs one SELECT in a transaction that may not write, in one round trip. Rows bounds the rows of the answer.
func (c *connection) ask(ctx context.Context, searchPath string, s statement, rows int, to answer) error {
	c.guard.allow(rows)
	batch := &pgconn.Batch{}
	batch.ExecParams("BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY", nil, nil, nil, nil)
	batch.ExecParams(settings, [][]byte{milliseconds(statementTimeout), milliseconds(lockTimeout), []byte(searchPath)}, nil, nil, nil)
	batch.ExecParams(s.sql, s.values, s.types, nil, nil)
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	results := c.ExecBatch(ctx, batch)
	err := c.read(results, to)
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

func milliseconds(d time.Duration) []byte { return fmt.Append(nil, d.Milliseconds()) }

// read reads the results of the four statements.
func (c *connection) read(results *pgconn.MultiResultReader, to answer) error {
	for i := range 4 {
		if !results.NextResult() {
			if err := results.Close(); err != nil {
				return err
			}
			return errOdd
		}
		one := results.ResultReader()
		var err error
		switch i {
		case 1:
			err = readRows(one, answer{row: isPrimary})
		case 2:
			err = readRows(one, to)
		}
		if err != nil {
			return err
		}
		if _, err := one.Close(); err != nil {
			return err
		}
	}
	return nil
}

func readRows(r *pgconn.ResultReader, to answer) error {
	if to.columns != nil {
		fields := r.FieldDescriptions()
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.Name
		}
		if err := to.columns(names); err != nil {
			return err
		}
	}
	for r.NextRow() {
		if err := to.row(r.Values()); err != nil {
			return err
		}
	}
	return nil
}

// isPrimary reads the answer to settings.
func isPrimary(values [][]byte) error {
	switch {
	case len(values) != 5:
		return errOdd
	case string(values[4]) == "t":
		return errReplica
	case string(values[4]) != "f":
		return errOdd
	}
	return nil
}

// abort ends the connection at once, and what is under way over it.
func (c *connection) abort() { _ = c.guard.Close() }

// leave says goodbye, and ends the connection. Nothing must be under way over it.
func (c *connection) leave() {
	if bye, err := (&pgproto3.Terminate{}).Encode(nil); err == nil {
		_ = c.guard.SetDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = c.guard.Write(bye)
	}
	c.abort()
}
