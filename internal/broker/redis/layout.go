package redis

import (
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// layout is how a queue is laid out in keys.
type layout interface {
	// check says what is wrong with the name of a queue, or of its consumer group.
	check(q broker.Query) error
	// begin has the commands that go before those of all queries.
	begin(b rueidis.Builder) rueidis.Commands
	// read has the commands of one query, at least one. Nothing that moves while they are read may be missed.
	read(b rueidis.Builder, q broker.Query, now time.Time) rueidis.Commands
	// key is what one of those commands reads, and what it is to be: a list, a sorted set, a stream.
	key(q broker.Query, command int) (key, kind string)
	// depth makes the depth of the replies to those commands, none of which is an error.
	depth(q broker.Query, replies []rueidis.RedisResult) (broker.Depth, error)
	// queues are those that a key belongs to, for the doorbell; none where it belongs to no queue.
	queues(key string) []string
	// harmless is a write that changes nothing, with a key that whoever may read the queue may write.
	harmless(b rueidis.Builder, queue string) rueidis.Completed
}
