package redis

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// A Redis above its maxmemory refuses each command in a transaction, also one that reads. A queue grows until then, and is
// the one that needs its workers. So it is read by a script, which Redis runs in one step as it does a transaction: whatever
// moves meanwhile is counted, in either direction.
//
// Plain reads, one after the other, would miss a task that goes from a processing list that was not read yet to a queue that
// was. A script is no more than the second way, because a user may count without the right to run one.

// readLua runs the commands of a transaction, each with one key, and answers as EXEC does: an error takes the place of its
// command's number. For each key, ARGV has how many words its command has beside it, and those words.
const readLua = `local answer, at = {}, 1
for i, key in ipairs(KEYS) do
  local words = tonumber(ARGV[at])
  answer[i] = redis.pcall(ARGV[at + 1], key, unpack(ARGV, at + 2, at + words))
  at = at + words + 1
end
return answer`

// isFull reports whether Redis has refused commands because its memory is full.
func isFull(replies []rueidis.RedisResult) bool {
	return slices.ContainsFunc(replies, func(reply rueidis.RedisResult) bool {
		text, ok := refused(reply.Error())
		return ok && strings.HasPrefix(text, outOfMemory)
	})
}

// readFull reads the queues of a Redis whose memory is full, all in one pipeline. Full has their places in queries.
func (d *driver) readFull(ctx context.Context, queries []broker.Query, full []int, now time.Time, answers []broker.Answer) error {
	if len(full) == 0 {
		return nil
	}
	scripts := make(rueidis.Commands, len(full))
	for k, i := range full {
		scripts[k] = d.script(d.layout.read(d.client.B(), queries[i], now))
	}
	for k, reply := range d.client.DoMulti(ctx, scripts...) {
		var err error
		if answers[full[k]], err = d.answer(queries[full[k]], []rueidis.RedisResult{reply}); err != nil {
			return err
		}
	}
	return nil
}

// script makes a transaction one script.
func (d *driver) script(transaction rueidis.Commands) rueidis.Completed {
	var keys, words []string
	for _, command := range transaction[1 : len(transaction)-1] { // between MULTI and EXEC
		c := command.Commands()
		keys = append(keys, c[1])
		words = append(words, strconv.Itoa(len(c)-1), c[0])
		words = append(words, c[2:]...)
	}
	return d.client.B().Eval().Script(readLua).Numkeys(int64(len(keys))).Key(keys...).Arg(words...).Build()
}
