package redis

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// Depths reads each queue and the processing lists of its workers. A queue with workers is read in one
// transaction: a task that moves between two reads, in either direction, would be counted nowhere.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	if len(queries) == 0 {
		return nil, d.ping(ctx)
	}
	var commands rueidis.Commands
	for _, q := range queries {
		commands = append(commands, d.read(q)...)
	}
	replies := d.client.DoMulti(ctx, commands...)
	answers := make([]broker.Answer, len(queries))
	for i, q := range queries {
		n := length(q)
		answer, err := d.answer(q, replies[:n])
		if err != nil {
			return nil, err
		}
		answers[i], replies = answer, replies[n:]
	}
	return answers, nil
}

// ping makes sure that the server answers. A user who may not PING is answered, too.
func (d *driver) ping(ctx context.Context) error {
	failure := classify(d.client.Do(ctx, d.client.B().Ping().Build()).Error(), d.endpoint)
	if failure != nil && broker.ReasonOf(failure) == broker.ReasonPermissionDenied {
		return nil
	}
	return failure
}

// read has the commands of one query, length(q) of them.
func (d *driver) read(q broker.Query) rueidis.Commands {
	llen := func(key string) rueidis.Completed { return d.client.B().Llen().Key(key).Build() }
	if len(q.Workers) == 0 {
		return rueidis.Commands{llen(q.Queue)}
	}
	commands := make(rueidis.Commands, 0, length(q))
	commands = append(commands, d.client.B().Multi().Build(), llen(q.Queue))
	for _, worker := range q.Workers {
		commands = append(commands, llen(redislist.Processing(q.Queue, worker)))
	}
	return append(commands, d.client.B().Exec().Build())
}

func length(q broker.Query) int {
	if len(q.Workers) == 0 {
		return 1
	}
	return len(q.Workers) + 3 // MULTI, the queue, the workers, EXEC
}

// answer reads the replies to one query. An error of the server that concerns every queue, or of the
// connection, is returned as one; an error of this queue alone is the answer's.
func (d *driver) answer(q broker.Query, replies []rueidis.RedisResult) (broker.Answer, error) {
	for _, reply := range replies {
		if err := reply.Error(); err != nil {
			return d.failed(q, err)
		}
	}
	lengths := make([]int64, 0, len(q.Workers)+1)
	if len(q.Workers) == 0 {
		n, err := replies[0].AsInt64()
		if err != nil {
			return d.failed(q, err)
		}
		return broker.Answer{Depth: broker.Depth{Waiting: n, Held: map[string]int64{}}}, nil
	}
	values, err := replies[len(replies)-1].ToArray()
	if err != nil {
		return d.failed(q, err)
	}
	for _, value := range values {
		n, err := value.AsInt64()
		if err != nil {
			return d.failed(q, err)
		}
		lengths = append(lengths, n)
	}
	if len(lengths) != len(q.Workers)+1 {
		return broker.Answer{}, classify(fmt.Errorf("the server answered %d lengths for %d lists", len(lengths), len(q.Workers)+1), d.endpoint)
	}
	depth := broker.Depth{Waiting: lengths[0], Held: make(map[string]int64, len(q.Workers))}
	for i, worker := range q.Workers {
		depth.Held[worker] = lengths[i+1]
		depth.InFlight += lengths[i+1]
	}
	return broker.Answer{Depth: depth}, nil
}

func (d *driver) failed(q broker.Query, err error) (broker.Answer, error) {
	failure := classify(err, d.endpoint)
	if ofOneKey(err) {
		return broker.Answer{Err: &broker.Error{
			Reason: broker.ReasonOf(failure), Err: err,
			Message: fmt.Sprintf("queue %q: %v", q.Queue, failure),
		}}, nil
	}
	return broker.Answer{}, failure
}
