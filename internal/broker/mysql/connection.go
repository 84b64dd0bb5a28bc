package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	library "github.com/go-sql-driver/mysql"
)

const (
	dialTimeout = 3 * time.Second
	// replyTimeout bounds a read whose caller sets no deadline: a server that hangs closes nothing.
	replyTimeout = 5 * time.Second
)

// settings are what holds for a session. The server works 3 s on a statement at most, and ends it by itself: it does not
// notice a client that is gone. MariaDB and MySQL name that differently, and each takes the other's for a comment. It waits
// 1 s for a lock on a table, such as that of a migration.
const settings = "SET NAMES utf8mb4, /*!80000 SESSION max_execution_time = 3000, */ /*M! SESSION max_statement_time = 3, */ SESSION lock_wait_timeout = 1"

// readOnly holds for every transaction of a session, also for one of a single statement. One statement sees one state of the
// data.
const readOnly = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

// conn is what the library's connections can do.
type conn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnPrepareContext
}

// connection is one connection to a server. After an error it is of no use.
type connection struct {
	conn
	// reach connects to an address.
	reach func(ctx context.Context, network, address string) (net.Conn, error)
	guard *guard
	// prepared has statements by their text, the one that was used last at the end.
	prepared []preparedStatement
}

type preparedStatement struct {
	sql string
	driver.StmtQueryContext
	close func() error
}

// mostPrepared is how many statements a connection keeps on the server: one for each number of queues.
const mostPrepared = 8

// dial connects.
func dial(ctx context.Context, c Config) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	own := &connection{reach: (&net.Dialer{}).DialContext}
	err := own.contain(func() error { return own.connect(ctx, c) })
	if err != nil {
		own.abort()
		return nil, errors.Join(err, ctx.Err())
	}
	return own, nil
}

func (c *connection) connect(ctx context.Context, to Config) error {
	connector, err := library.NewConnector(c.config(to))
	if err != nil {
		return fmt.Errorf("making a configuration, %w", err)
	}
	one, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	var ok bool
	if c.conn, ok = one.(conn); !ok {
		return errors.Join(errors.New("the client library cannot prepare statements"), one.Close())
	}
	for _, statement := range []string{settings, readOnly} {
		if err := c.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// config is the library's. TLS is the guard's, which reads what is within; that a socket of this machine is as good as TLS is
// what the library believes, and the way to have it show the password where TLS hides it. The guard refuses it elsewhere.
func (c *connection) config(to Config) *library.Config {
	config := library.NewConfig()
	config.Net, config.Addr = "tcp", to.Address()
	if to.TLS != nil {
		config.Net, config.AllowCleartextPasswords = "unix", true
	}
	config.User, config.Passwd, config.DBName = to.Username, to.Password.Reveal(), to.Block.Database
	config.ConnectionAttributes = "program_name:qscaler"
	config.MaxAllowedPacket = longestStatement
	config.WriteTimeout = replyTimeout
	config.Logger = &library.NopLogger{}
	dialled := false
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if dialled {
			return nil, net.ErrClosed
		}
		dialled = true
		raw, err := c.reach(ctx, "tcp", to.Address())
		if err != nil {
			return nil, err
		}
		encryption := to.TLS.Clone()
		if encryption != nil && encryption.ServerName == "" {
			encryption.ServerName = to.Host
		}
		secure, first, hidden, err := hello(ctx, raw, encryption)
		if err != nil {
			return nil, errors.Join(err, ctx.Err(), raw.Close())
		}
		c.guard = newGuard(secure, first, hidden)
		return c.guard, nil
	}
	return config
}

// longestStatement is more than the longest one that we send.
const longestStatement = 8 << 20

// contain has what the guard has found in place of what the library makes of it, and an error of a panic: nobody else would.
func (c *connection) contain(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the client library has panicked: %v\n%s", p, debug.Stack())
		}
	}()
	err = do()
	// What the library says of a connection that is broken does not say why.
	if (errors.Is(err, library.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn)) && c.guard != nil && c.guard.err != nil {
		return c.guard.err
	}
	return err
}

// exec runs a statement that has no rows.
func (c *connection) exec(ctx context.Context, sql string) error {
	c.guard.allow(0, 0)
	_, err := c.ExecContext(ctx, sql, nil)
	return err
}

// answer takes the rows of a statement. Columns comes before them.
type answer struct {
	columns func(driver.Rows) error
	row     func(values [][]byte) error
}

// ask runs one SELECT, which is prepared where it was not. Rows bounds the rows of the answer.
func (c *connection) ask(ctx context.Context, s statement, rows int, to answer) error {
	return c.contain(func() error { return c.askPrepared(ctx, s, rows, to) })
}

func (c *connection) askPrepared(ctx context.Context, s statement, rows int, to answer) error {
	prepared, err := c.prepare(ctx, s)
	if err != nil {
		return err
	}
	c.guard.allow(rows, 0)
	values := make([]driver.NamedValue, len(s.values))
	for i, v := range s.values {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	found, err := prepared.QueryContext(ctx, values)
	if err != nil {
		return err
	}
	return errors.Join(read(found, to), found.Close())
}

// askPlainly runs one SELECT without parameters.
func (c *connection) askPlainly(ctx context.Context, sql string, rows int, to answer) error {
	return c.contain(func() error { return c.askText(ctx, sql, rows, to) })
}

func (c *connection) askText(ctx context.Context, sql string, rows int, to answer) error {
	c.guard.allow(rows, 0)
	found, err := c.QueryContext(ctx, sql, nil)
	if err != nil {
		return err
	}
	return errors.Join(read(found, to), found.Close())
}

// do runs a statement that has no rows.
func (c *connection) do(ctx context.Context, sql string) error {
	return c.contain(func() error { return c.exec(ctx, sql) })
}

func (c *connection) prepare(ctx context.Context, s statement) (preparedStatement, error) {
	if i := slices.IndexFunc(c.prepared, func(p preparedStatement) bool { return p.sql == s.sql }); i >= 0 {
		p := c.prepared[i]
		c.prepared = append(slices.Delete(c.prepared, i, i+1), p)
		return p, nil
	}
	if len(c.prepared) == mostPrepared {
		if err := c.prepared[0].close(); err != nil {
			return preparedStatement{}, err
		}
		c.prepared = slices.Delete(c.prepared, 0, 1)
	}
	c.guard.allow(mostColumns, len(s.values))
	one, err := c.PrepareContext(ctx, s.sql)
	if err != nil {
		return preparedStatement{}, err
	}
	query, ok := one.(driver.StmtQueryContext)
	if !ok || one.NumInput() != len(s.values) {
		return preparedStatement{}, errPlaceholders
	}
	p := preparedStatement{s.sql, query, one.Close}
	c.prepared = append(c.prepared, p)
	return p, nil
}

// errPlaceholders is a query whose parameters stand where the server sees none.
var errPlaceholders = errors.New("not every (?) of the query is a parameter; it must not stand in a string or a name")

func read(rows driver.Rows, to answer) error {
	if to.columns != nil {
		if err := to.columns(rows); err != nil {
			return err
		}
	}
	found := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(found); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		values := make([][]byte, len(found))
		for i, v := range found {
			values[i] = text(v)
		}
		if err := to.row(values); err != nil {
			return err
		}
	}
}

// text is a value as a text, nil for NULL.
func text(v driver.Value) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return append([]byte{}, v...)
	case float64:
		return strconv.AppendFloat([]byte{}, v, 'f', -1, 64)
	case float32:
		return strconv.AppendFloat([]byte{}, float64(v), 'f', -1, 32)
	}
	return fmt.Append(nil, v)
}

// isPrimary reads whether the server takes writes from everybody.
func isPrimary(readOnly []byte) error {
	switch string(readOnly) {
	case "0", "OFF":
		return nil
	}
	return errReplica
}

// errReplica is the answer of a server that repeats what another has written.
var errReplica = errors.New("the server is read-only")

// abort ends the connection at once, and what is under way over it.
func (c *connection) abort() {
	if c.guard != nil {
		_ = c.guard.Close()
	}
	if c.conn != nil {
		_ = c.Close()
	}
}

// leave says goodbye, and ends the connection. Nothing must be under way over it.
func (c *connection) leave() {
	_ = c.guard.SetDeadline(time.Now().Add(100 * time.Millisecond))
	_ = c.Close()
}
