package redis

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// list is the layout of worker/redislist: a queue is a list, what a worker has taken is a list of its own, and what
// is delayed is a sorted set.
type list struct{}

// mostElements is more than a list or a sorted set can have (2^32), and so little that no sum of them overflows.
const mostElements = 1 << 40

// own is how many numbers a query has beside those of its workers: the due and the queue.
const own = 2

// check refuses the names of keys of the layout itself. The API server refuses them too; some may be stored from before.
func (list) check(q broker.Query) error {
	if !redislist.IsKey(q.Queue) {
		return broker.NoGroup(q, "a list")
	}
	return &broker.Error{Reason: broker.ReasonInvalidQueue, Message: fmt.Sprintf(
		"scaleConfig.queue is %q, which is the name of one of QScaler's own keys of another queue: its list of tasks in flight, delayed tasks or dead letters; give the queue another name", broker.Words(q.Queue, broker.Secret{}))}
}

func (list) begin(rueidis.Builder) rueidis.Commands { return nil }

// read has the queue, its tasks that are due, and the processing lists of its workers. A queue with workers is read in
// one transaction: a task that moves between two reads, in either direction, would be counted nowhere. Tasks that are
// due wait, though no worker has moved them to the queue: there may be no worker. They are read before the queue,
// where they go.
func (list) read(b rueidis.Builder, q broker.Query, now time.Time) rueidis.Commands {
	llen := func(key string) rueidis.Completed { return b.Llen().Key(key).Build() }
	// The time is this machine's: a clock that differs from Redis' makes a task look due so much too early or too
	// late, and no worker takes it before it is.
	due := b.Zcount().Key(redislist.Delayed(q.Queue)).Min("-inf").Max(strconv.FormatInt(now.UnixMilli(), 10)).Build()
	if len(q.Workers) == 0 {
		return rueidis.Commands{due, llen(q.Queue)}
	}
	commands := make(rueidis.Commands, 0, len(q.Workers)+own+2) // MULTI and EXEC
	commands = append(commands, b.Multi().Build(), due, llen(q.Queue))
	for _, worker := range q.Workers {
		commands = append(commands, llen(redislist.Processing(q.Queue, worker.PodName)))
	}
	return append(commands, b.Exec().Build())
}

// key is layout's. A transaction begins with a command that has none.
func (list) key(q broker.Query, command int) (key, kind string) {
	if len(q.Workers) > 0 {
		command--
	}
	switch worker := command - own; {
	case command == 0:
		return redislist.Delayed(q.Queue), "sorted set"
	case worker >= 0 && worker < len(q.Workers):
		return redislist.Processing(q.Queue, q.Workers[worker].PodName), "list"
	}
	return q.Queue, "list"
}

func (list) depth(q broker.Query, replies []rueidis.RedisResult) (broker.Depth, error) {
	numbers, err := numbersOf(q, replies)
	if err != nil {
		return broker.Depth{}, err
	}
	if len(numbers) != len(q.Workers)+own {
		return broker.Depth{}, fmt.Errorf("the server answered %d numbers for %d keys", len(numbers), len(q.Workers)+own)
	}
	for _, n := range numbers {
		if n < 0 || n > mostElements {
			return broker.Depth{}, fmt.Errorf("the server answered that a list has %d elements", n)
		}
	}
	depth := broker.Depth{
		Waiting:  broker.CountOf(numbers[0] + numbers[1]),
		InFlight: broker.CountOf(0),
		Held:     make(map[string]int64, len(q.Workers)),
	}
	for i, worker := range q.Workers {
		depth.Held[worker.PodName] = numbers[own+i]
		depth.InFlight.N += numbers[own+i]
	}
	return depth, nil
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
			return nil, &refusedCommand{i + 1, err} // after MULTI
		}
	}
	return numbers, nil
}

func (list) queues(key string) []string {
	queues := []string{key}
	if of, _, ok := redislist.QueuesOf(key); ok {
		queues = append(queues, of...)
	}
	return append(queues, redislist.QueuesOfDelayed(key)...)
}

// nobody is the worker whose processing list is never there.
const nobody = "qscaler-nobody"

func (list) harmless(b rueidis.Builder, queue string) rueidis.Completed {
	return b.Lrem().Key(redislist.Processing(queue, nobody)).Count(1).Element(nobody).Build()
}
