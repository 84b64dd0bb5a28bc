package redis

import (
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// stream is the layout of a queue that is a stream, read by a consumer group whose consumers have the names of their pods.
type stream struct{}

// ofStream is how many numbers a query has beside those of its workers: what waits, and what is taken by anybody.
const ofStream = 2

func (stream) check(q broker.Query) error {
	return broker.NeedsGroup(q, "a stream is read by a consumer group")
}

// begin makes the script known: the server may have been restarted, or somebody may have flushed its scripts.
func (stream) begin(b rueidis.Builder) rueidis.Commands {
	return rueidis.Commands{b.ScriptLoad().Script(depthLua).Build()}
}

// read is one script, and so one step: an entry that moves meanwhile is counted before or after, and never missed.
func (stream) read(b rueidis.Builder, q broker.Query, _ time.Time) rueidis.Commands {
	names := make([]string, len(q.Workers))
	for i, worker := range q.Workers {
		names[i] = worker.PodName
	}
	return rueidis.Commands{b.Evalsha().Sha1(depthSHA).Numkeys(1).Key(q.Queue).Arg(q.Group, mostCounted, mostCountedBytes).Arg(names...).Build()}
}

func (stream) key(q broker.Query, _ int) (key, kind string) { return q.Queue, "stream" }

// depth counts what others than the query's workers have taken as waiting: they are gone, or nobody knows them, and a
// worker has to claim it.
func (stream) depth(q broker.Query, replies []rueidis.RedisResult) (broker.Depth, error) {
	values, err := replies[0].ToArray()
	if err != nil {
		return broker.Depth{}, err
	}
	if len(values) != len(q.Workers)+ofStream {
		return broker.Depth{}, fmt.Errorf("the server answered %d numbers of a stream with %d workers", len(values), len(q.Workers))
	}
	numbers := make([]int64, len(values))
	for i, value := range values {
		if numbers[i], err = value.AsInt64(); err != nil {
			return broker.Depth{}, err
		}
		if numbers[i] < 0 || numbers[i] > mostElements {
			return broker.Depth{}, fmt.Errorf("the server answered that a stream has %d entries", numbers[i])
		}
	}
	depth := broker.Depth{InFlight: broker.CountOf(0), Held: make(map[string]int64, len(q.Workers))}
	for i, worker := range q.Workers {
		depth.Held[worker.PodName] = numbers[ofStream+i]
		depth.InFlight.N += numbers[ofStream+i]
	}
	if depth.InFlight.N > numbers[1] {
		return broker.Depth{}, fmt.Errorf("the server answered that workers hold %d entries of a stream, and all hold %d", depth.InFlight.N, numbers[1])
	}
	depth.Waiting = broker.CountOf(numbers[0] + numbers[1] - depth.InFlight.N)
	return depth, nil
}

func (stream) queues(key string) []string { return []string{key} }

// harmless acknowledges an entry that no stream has, for a group that nobody has.
func (stream) harmless(b rueidis.Builder, queue string) rueidis.Completed {
	return b.Xack().Key(queue).Group(nobody).Id("0-0").Build()
}
