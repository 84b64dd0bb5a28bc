package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// Depths reads each queue, its tasks that are due, and the processing lists of its workers. A queue with workers
// is read in one transaction: a task that moves between two reads, in either direction, would be counted nowhere.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	asks := d.writable.due(time.Now())
	if len(queries) == 0 {
		return nil, d.ping(ctx, asks)
	}
	var commands rueidis.Commands
	for _, q := range queries {
		commands = append(commands, d.read(q)...)
	}
	if asks {
		commands = append(commands, d.harmless(queries))
	}
	replies := d.client.DoMulti(ctx, commands...)
	if asks {
		last := len(replies) - 1
		if err := d.refusesWrites(replies[last]); err != nil {
			return nil, err
		}
		replies = replies[:last]
	}
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

// ping makes sure that the server answers, and where it is asked, takes writes. A user who may not PING is
// answered, too.
func (d *driver) ping(ctx context.Context, asks bool) error {
	if asks {
		if err := d.refusesWrites(d.client.Do(ctx, d.harmless(nil))); err != nil {
			return err
		}
	}
	failure := classify(d.client.Do(ctx, d.client.B().Ping().Build()).Error(), d.endpoint)
	if failure != nil && broker.ReasonOf(failure) == broker.ReasonPermissionDenied {
		return nil
	}
	return failure
}

// read has the commands of one query, length(q) of them. Tasks that are due wait, though no worker has moved them
// to the queue: there may be no worker. They are read before the queue, where they go.
func (d *driver) read(q broker.Query) rueidis.Commands {
	llen := func(key string) rueidis.Completed { return d.client.B().Llen().Key(key).Build() }
	due := d.client.B().Zcount().Key(redislist.Delayed(q.Queue)).Min("-inf").Max(d.now()).Build()
	if len(q.Workers) == 0 {
		return rueidis.Commands{due, llen(q.Queue)}
	}
	commands := make(rueidis.Commands, 0, length(q))
	commands = append(commands, d.client.B().Multi().Build(), due, llen(q.Queue))
	for _, worker := range q.Workers {
		commands = append(commands, llen(redislist.Processing(q.Queue, worker)))
	}
	return append(commands, d.client.B().Exec().Build())
}

// now is the time as the scores of delayed tasks have it. It is this machine's: a clock that differs from Redis'
// makes a task look due so much too early or too late, and no worker takes it before it is.
func (d *driver) now() string { return strconv.FormatInt(time.Now().UnixMilli(), 10) }

// own is how many numbers a query has beside those of its workers: the due and the queue.
const own = 2

func length(q broker.Query) int {
	if len(q.Workers) == 0 {
		return own
	}
	return len(q.Workers) + own + 2 // MULTI and EXEC
}

// answer reads the replies to one query. An error of the server that concerns every queue, or of the
// connection, is returned as one; an error of this queue alone is the answer's.
func (d *driver) answer(q broker.Query, replies []rueidis.RedisResult) (broker.Answer, error) {
	for _, reply := range replies {
		if err := reply.Error(); err != nil {
			return d.failed(q, err)
		}
	}
	numbers, err := numbersOf(q, replies)
	if err != nil {
		return d.failed(q, err)
	}
	if len(numbers) != len(q.Workers)+own {
		return broker.Answer{}, classify(fmt.Errorf("the server answered %d numbers for %d keys", len(numbers), len(q.Workers)+own), d.endpoint)
	}
	depth := broker.Depth{Waiting: numbers[0] + numbers[1], Held: make(map[string]int64, len(q.Workers))}
	for i, worker := range q.Workers {
		depth.Held[worker] = numbers[own+i]
		depth.InFlight += numbers[own+i]
	}
	return broker.Answer{Depth: depth}, nil
}

// numbersOf has the numbers of one query, in the order in which they were asked for.
func numbersOf(q broker.Query, replies []rueidis.RedisResult) ([]int64, error) {
	if len(q.Workers) > 0 {
		return numbersOfExec(replies[len(replies)-1])
	}
	numbers := make([]int64, len(replies))
	for i, reply := range replies {
		var err error
		if numbers[i], err = reply.AsInt64(); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// numbersOfExec has the numbers of a transaction. Each may be an error of its own.
func numbersOfExec(reply rueidis.RedisResult) ([]int64, error) {
	values, err := reply.ToArray()
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(values))
	for i, value := range values {
		if numbers[i], err = value.AsInt64(); err != nil {
			return nil, err
		}
	}
	return numbers, nil
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
