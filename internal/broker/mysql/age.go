package mysql

import (
	"context"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// OldestAges is broker.AgeReader's. It makes a connection of its own for each call, so that no depth waits for an age, or
// fails with it. On that it takes two round trips, however many queues, and four for a query of the user's.
//
// An age is that of the oldest row that waits, by its column for when it was made, or what the query of the settings says.
// Where the settings have neither, it is unknown, and nothing is asked.
func (r *reader) OldestAges(ctx context.Context, queues []string) ([]broker.Age, error) {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	defer context.AfterFunc(r.closed, cancel)()
	unique, places := sqlqueue.Sift(sqlqueue.Queries(queues), make([]broker.Answer, len(queues)), r.check)
	if r.closed.Err() == nil && (len(unique) == 0 || !r.hasAges()) {
		return make([]broker.Age, len(queues)), nil
	}
	age, err := r.oldestAges(ctx, unique)
	if err != nil {
		return nil, r.failed(err)
	}
	ages := make([]broker.Age, len(queues))
	for i, place := range places {
		if place >= 0 {
			ages[i] = age(place)
		}
	}
	return ages, nil
}

func (r *reader) hasAges() bool {
	if table := r.config.Block.Table; table != nil {
		return table.CreatedAtColumn != ""
	}
	return !r.ageless.Load()
}

func (r *reader) oldestAges(ctx context.Context, queries []broker.Query) (age func(int) broker.Age, err error) {
	over, err := dial(ctx, r.config)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			over.abort()
		} else {
			over.leave()
		}
	}()
	if r.config.Block.Table == nil {
		rows := sqlqueue.NewRows(queries)
		return rows.Age, r.query(ctx, over, queries, rows)
	}
	ages := make([]broker.Age, len(queries))
	s := r.table().ages(queries)
	return func(i int) broker.Age { return ages[i] }, over.ask(ctx, s, len(queries), answer{row: func(values [][]byte) error {
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
