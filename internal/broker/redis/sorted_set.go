package redis

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// sortedSet is the layout of a queue that is a sorted set. What a worker has taken is a sorted set of its own, with the same
// score, under the key that a list's would have.
type sortedSet struct{ due Due }

func (sortedSet) check(q broker.Query) error {
	if redislist.IsKey(q.Queue) {
		return list{}.check(q)
	}
	return broker.NoGroup(q, "a sorted set")
}

func (sortedSet) begin(rueidis.Builder) rueidis.Commands { return nil }

// read is as that of list. The time is this machine's, as there.
func (s sortedSet) read(b rueidis.Builder, q broker.Query, now time.Time) rueidis.Commands {
	waiting := b.Zcard().Key(q.Queue).Build()
	switch s.due {
	case InSeconds:
		waiting = b.Zcount().Key(q.Queue).Min("-inf").Max(strconv.FormatInt(now.Unix(), 10)).Build()
	case InMilliseconds:
		waiting = b.Zcount().Key(q.Queue).Min("-inf").Max(strconv.FormatInt(now.UnixMilli(), 10)).Build()
	}
	if len(q.Workers) == 0 {
		return rueidis.Commands{waiting}
	}
	commands := rueidis.Commands{b.Multi().Build(), waiting}
	for _, worker := range q.Workers {
		commands = append(commands, b.Zcard().Key(redislist.Processing(q.Queue, worker.PodName)).Build())
	}
	return append(commands, b.Exec().Build())
}

// key is layout's. A transaction begins with a command that has none.
func (sortedSet) key(q broker.Query, command int) (key, kind string) {
	if worker := command - 2; worker >= 0 && worker < len(q.Workers) {
		return redislist.Processing(q.Queue, q.Workers[worker].PodName), "sorted set"
	}
	return q.Queue, "sorted set"
}

func (sortedSet) depth(q broker.Query, replies []rueidis.RedisResult) (broker.Depth, error) {
	numbers, err := numbersOf(q, replies)
	if err != nil {
		return broker.Depth{}, err
	}
	if len(numbers) != len(q.Workers)+1 {
		return broker.Depth{}, fmt.Errorf("the server answered %d numbers for %d keys", len(numbers), len(q.Workers)+1)
	}
	for _, n := range numbers {
		if n < 0 || n > mostElements {
			return broker.Depth{}, fmt.Errorf("the server answered that a sorted set has %d members", n)
		}
	}
	depth := broker.Depth{Waiting: broker.CountOf(numbers[0]), InFlight: broker.CountOf(0), Held: make(map[string]int64, len(q.Workers))}
	for i, worker := range q.Workers {
		depth.Held[worker.PodName] = numbers[1+i]
		depth.InFlight.N += numbers[1+i]
	}
	return depth, nil
}

func (sortedSet) queues(key string) []string {
	queues := []string{key}
	if of, _, ok := redislist.QueuesOf(key); ok {
		queues = append(queues, of...)
	}
	return queues
}

func (sortedSet) harmless(b rueidis.Builder, queue string) rueidis.Completed {
	return b.Zrem().Key(redislist.Processing(queue, nobody)).Member(nobody).Build()
}
