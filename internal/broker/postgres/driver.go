package postgres

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// driver reads depths over one connection, which a failed read ends. It reads ages over others; see OldestAges.
type driver struct {
	config Config
	*connection
	*doorbell
	// broken is why nobody can read depths any more; whoever has the turn may touch it.
	broken error
	// ageless is true once a query of the user's has turned out to tell no ages.
	ageless atomic.Bool
	// closed ends with the driver.
	closed context.Context
	end    context.CancelFunc
}

// Open connects to a PostgreSQL server. It rings where the settings name a channel that is notified.
func Open(ctx context.Context, c Config, ring broker.Doorbell) (broker.Driver, error) {
	d := &driver{config: c, doorbell: newDoorbell(c.Block.Channel, ring)}
	conn, err := dial(ctx, c, d.notified)
	if err != nil {
		return nil, classify(err, c)
	}
	d.connection = conn
	d.closed, d.end = context.WithCancel(context.WithoutCancel(ctx))
	if c.Block.Channel == "" {
		return d, nil
	}
	if err := d.subscribe(ctx); err != nil {
		d.Close()
		return nil, classify(err, c)
	}
	go d.listen()
	return d, nil
}

// Close ends the connection, and with it the reads that are under way.
func (d *driver) Close() {
	d.end()
	select {
	case d.turn <- struct{}{}: // which nobody gets any more
		d.leave()
	default:
		d.abort()
	}
}

// Depths asks for all queues in one statement.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	defer context.AfterFunc(d.closed, cancel)()
	if err := d.takeTurn(ctx); err != nil {
		return nil, d.failed(err)
	}
	defer d.endTurn()
	if d.broken != nil {
		return nil, d.broken
	}
	answers := make([]broker.Answer, len(queries))
	unique, places := sqlqueue.Sift(queries, answers, checkQuery)
	d.know(unique)
	depth, err := d.depths(ctx, unique)
	if err != nil {
		d.abort()
		d.broken = d.failed(err)
		return nil, d.broken
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
func (d *driver) failed(err error) error {
	if d.closed.Err() != nil {
		err = net.ErrClosed
	}
	return classify(err, d.config)
}

// depths reads the queues, and has how deep each is, by its place.
func (d *driver) depths(ctx context.Context, queries []broker.Query) (depth func(int) (broker.Depth, error), err error) {
	if d.config.Block.Table == nil {
		rows := sqlqueue.NewRows(queries)
		err := d.query(ctx, d.connection, queries, rows)
		d.ageless.Store(err == nil && !rows.HasAges())
		return rows.Depth, err
	}
	tally := sqlqueue.NewTally(queries, d.config.Block)
	s := table{d.config.Block}.depths(queries)
	err = d.ask(ctx, tablesAlone, s, len(queries)*(2+sqlqueue.Groups(queries)), answer{row: func(values [][]byte) error {
		if len(values) != 4 {
			return errOdd
		}
		return tally.Add(values[0], values[1], values[2], values[3])
	}})
	if err == nil && len(queries) > 0 {
		_, err = tally.Depth(len(queries) - 1) // they come together, or not at all
	}
	return tally.Depth, err
}

// query runs the query of the user's.
func (d *driver) query(ctx context.Context, over *connection, queries []broker.Query, rows *sqlqueue.Rows) error {
	s := queryStatement(d.config.Block.Query, queries, rows.MostRows())
	path := fmt.Sprintf("pg_catalog, %s, pg_temp", quote(d.config.Block.Schema))
	return over.ask(ctx, path, s, rows.MostRows(), answer{columns: rows.Columns, row: rows.Add})
}

// tablesAlone finds nothing but what is the server's own: the statement has the schema of its table.
const tablesAlone = "pg_catalog, pg_temp"

// checkQuery refuses a name that no text of the server can be, and a consumer group.
func checkQuery(q broker.Query) error {
	if utf8.ValidString(q.Queue) && !strings.ContainsRune(q.Queue, 0) {
		return broker.NoGroup(q, "a table")
	}
	return &broker.Error{Reason: broker.ReasonInvalidQueue, Message: fmt.Sprintf("queue %q is no text: it must be UTF-8, without a NUL", broker.Words(q.Queue, broker.Secret{}))}
}
