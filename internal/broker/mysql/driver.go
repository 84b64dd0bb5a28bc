package mysql

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// reader reads depths over one connection, which a failed read ends. It reads ages over others; see OldestAges.
type reader struct {
	config Config
	// columns are those of the table, where there is one.
	columns columns
	// turn is held by whoever uses the connection.
	turn chan struct{}
	*connection
	// broken is why nobody can read depths any more; whoever has the turn may touch it.
	broken error
	// ageless is true once a query of the user's has turned out to tell no ages.
	ageless atomic.Bool
	// closed ends with the driver.
	closed context.Context
	end    context.CancelFunc
}

// Open connects to a server. It never rings: the servers notify nobody of new rows.
func Open(ctx context.Context, c Config, _ broker.Doorbell) (broker.Driver, error) {
	r := &reader{config: c, turn: make(chan struct{}, 1)}
	conn, err := dial(ctx, c)
	if err != nil {
		return nil, classify(err, c)
	}
	r.connection = conn
	if c.Block.Table != nil {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		if r.columns, err = learn(ctx, conn, c.Block); err != nil {
			conn.abort()
			return nil, classify(err, c)
		}
	}
	r.closed, r.end = context.WithCancel(context.WithoutCancel(ctx))
	return r, nil
}

// Close ends the connection, and with it the reads that are under way.
func (r *reader) Close() {
	r.end()
	select {
	case r.turn <- struct{}{}: // which nobody gets any more
		r.leave()
	default:
		_ = r.guard.Close() // whoever reads ends the rest
	}
}

// Pushes is broker.Pusher's.
func (r *reader) Pushes() (ok bool, why string) {
	return false, "MySQL and MariaDB notify nobody of new rows"
}

// Depths asks for all queues in one statement.
func (r *reader) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	defer context.AfterFunc(r.closed, cancel)()
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, r.failed(ctx.Err())
	}
	defer func() { <-r.turn }()
	if r.broken != nil {
		return nil, r.broken
	}
	answers := make([]broker.Answer, len(queries))
	unique, places := sqlqueue.Sift(queries, answers, r.check)
	depth, err := r.depths(ctx, unique)
	if err != nil {
		r.abort()
		r.broken = r.failed(err)
		return nil, r.broken
	}
	for i, place := range places {
		if place >= 0 {
			answers[i].Depth, answers[i].Err = depth(place)
			answers[i].Depth.Held = sqlqueue.HeldBy(queries[i].Workers, answers[i].Depth.Held)
		}
	}
	return answers, nil
}

// failed puts a failure into words. What fails because the driver was closed says so.
func (r *reader) failed(err error) error {
	if r.closed.Err() != nil {
		err = net.ErrClosed
	}
	return classify(err, r.config)
}

// depths reads the queues, and has how deep each is, by its place.
func (r *reader) depths(ctx context.Context, queries []broker.Query) (depth func(int) (broker.Depth, error), err error) {
	if len(queries) == 0 {
		return nil, askPrimary(ctx, r.connection)
	}
	if r.config.Block.Table == nil {
		rows := sqlqueue.NewRows(queries)
		err := r.query(ctx, r.connection, queries, rows)
		r.ageless.Store(err == nil && !rows.HasAges())
		return rows.Depth, err
	}
	tally, answered := sqlqueue.NewTally(queries, r.config.Block), false
	s := r.table().depths(queries)
	err = r.ask(ctx, s, 1+len(queries)*(2+sqlqueue.Groups(queries)), answer{row: func(values [][]byte) error {
		switch {
		case len(values) != 4:
			return errOdd
		case string(values[1]) != string(primary):
			return tally.Add(values[0], values[1], values[2], values[3])
		case answered:
			return errOdd
		}
		answered = true
		return isPrimary(values[3])
	}})
	switch {
	case err != nil:
		return nil, err
	case !answered:
		return nil, errOdd
	}
	_, err = tally.Depth(len(queries) - 1) // they come together, or not at all
	return tally.Depth, err
}

func (r *reader) table() table { return table{r.config.Block, r.columns} }

// query runs the query of the user's, in a transaction that may not write, whatever was set in the session.
func (r *reader) query(ctx context.Context, over *connection, queries []broker.Query, rows *sqlqueue.Rows) error {
	if err := over.do(ctx, "START TRANSACTION READ ONLY"); err != nil {
		return err
	}
	if err := askPrimary(ctx, over); err != nil {
		return err
	}
	s := queryStatement(r.config.Block.Query, queries, rows.MostRows())
	err := over.ask(ctx, s, rows.MostRows(), answer{columns: func(found driver.Rows) error { return rows.Columns(found.Columns()) }, row: rows.Add})
	if err != nil {
		return err
	}
	return over.do(ctx, "COMMIT")
}

// askPrimary makes sure that the server answers, and takes writes.
func askPrimary(ctx context.Context, over *connection) error {
	answered := false
	err := over.askPlainly(ctx, "SELECT @@global.read_only", 1, answer{row: func(values [][]byte) error {
		if len(values) != 1 {
			return errOdd
		}
		answered = true
		return isPrimary(values[0])
	}})
	if err == nil && !answered {
		return errOdd
	}
	return err
}

// check refuses a name that no text of the column can be, and a consumer group.
func (r *reader) check(q broker.Query) error {
	name := broker.Words(q.Queue, broker.Secret{})
	switch {
	case !utf8.ValidString(q.Queue) || strings.ContainsRune(q.Queue, 0):
		return &broker.Error{Reason: broker.ReasonInvalidQueue, Message: fmt.Sprintf("queue %q is no text: it must be UTF-8, without a NUL", name)}
	case !r.columns.fits(q.Queue):
		return &broker.Error{Reason: broker.ReasonInvalidQueue, Message: fmt.Sprintf("queue %q has characters that the column for queues may lack, whose character set is %s; convert the column to utf8mb4", name, broker.Words(r.columns.charset, broker.Secret{}))}
	}
	return broker.NoGroup(q, "a table")
}
