package postgres

import (
	"context"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// OldestAges is broker.AgeReader's. It makes a connection of its own for each call, so that no depth waits for an age, or
// fails with it. On that it takes one round trip, however many queues.
//
// An age is that of the oldest row that waits, by its column for when it was made, or what the query of the settings says.
// Where the settings have neither, it is unknown, and nothing is asked.
func (d *driver) OldestAges(ctx context.Context, queues []string) ([]broker.Age, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	defer context.AfterFunc(d.closed, cancel)()
	unique, places := sqlqueue.Sift(sqlqueue.Queries(queues), make([]broker.Answer, len(queues)), checkQuery)
	if d.closed.Err() == nil && (len(unique) == 0 || !d.hasAges()) {
		return make([]broker.Age, len(queues)), nil
	}
	age, err := d.oldestAges(ctx, unique)
	if err != nil {
		return nil, d.failed(err)
	}
	ages := make([]broker.Age, len(queues))
	for i, place := range places {
		if place >= 0 {
			ages[i] = age(place)
		}
	}
	return ages, nil
}

func (d *driver) hasAges() bool {
	if table := d.config.Block.Table; table != nil {
		return table.CreatedAtColumn != ""
	}
	return !d.ageless.Load()
}

func (d *driver) oldestAges(ctx context.Context, queries []broker.Query) (age func(int) broker.Age, err error) {
	conn, err := dial(ctx, d.config, func(string) {})
	if err != nil {
		return nil, err
	}
	defer conn.leave()
	if d.config.Block.Table == nil {
		rows := sqlqueue.NewRows(queries)
		return rows.Age, d.query(ctx, conn, queries, rows)
	}
	ages := make([]broker.Age, len(queries))
	s := table{d.config.Block}.ages(queries)
	return func(i int) broker.Age { return ages[i] }, conn.ask(ctx, tablesAlone, s, len(queries), answer{row: func(values [][]byte) error {
		if len(values) != 2 {
			return errOdd
		}
		i, err := strconv.Atoi(string(values[0]))
		if err != nil || i < 1 || i > len(ages) {
			return sqlqueue.Strange{What: "the server answered of a queue that it was not asked for"}
		}
		ages[i-1] = sqlqueue.AgeOf(values[1])
		return nil
	}})
}
