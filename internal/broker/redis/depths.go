package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// Depths reads all queues in one pipeline.
func (d *driver) Depths(ctx context.Context, queries []broker.Query) ([]broker.Answer, error) {
	now := time.Now()
	asks := d.writable.due(now)
	if len(queries) == 0 {
		return nil, d.answers(ctx, asks)
	}
	commands := d.layout.begin(d.client.B())
	begin := len(commands)
	lengths := make([]int, len(queries))
	invalid := make([]error, len(queries))
	for i, q := range queries {
		if invalid[i] = d.layout.check(q); invalid[i] != nil {
			continue
		}
		read := d.layout.read(d.client.B(), q, now)
		commands, lengths[i] = append(commands, read...), len(read)
	}
	answers := make([]broker.Answer, len(queries))
	if len(commands) == begin {
		for i, err := range invalid {
			answers[i].Err = err
		}
		return answers, d.answers(ctx, asks)
	}
	if asks {
		commands = append(commands, d.layout.harmless(d.client.B(), queries[0].Queue))
	}
	replies := d.client.DoMulti(ctx, commands...)
	if asks {
		last := len(replies) - 1
		if err := d.refusesWrites(replies[last]); err != nil {
			return nil, err
		}
		replies = replies[:last]
	}
	for _, reply := range replies[:begin] {
		if err := reply.Error(); err != nil {
			return nil, classify(err, d.config)
		}
	}
	replies = replies[begin:]
	for i, q := range queries {
		if invalid[i] != nil {
			answers[i].Err = invalid[i]
			continue
		}
		answer, err := d.answer(q, replies[:lengths[i]])
		if err != nil {
			return nil, err
		}
		answers[i], replies = answer, replies[lengths[i]:]
	}
	return answers, nil
}

// answers makes sure that the server answers, and where it is asked, takes writes.
func (d *driver) answers(ctx context.Context, asks bool) error {
	if asks {
		if err := d.refusesWrites(d.client.Do(ctx, d.layout.harmless(d.client.B(), "qscaler"))); err != nil {
			return err
		}
	}
	return d.ping(ctx)
}

// answer reads the replies to one query. An error of the server that concerns every queue, or of the
// connection, is returned as one; an error of this queue alone is the answer's.
func (d *driver) answer(q broker.Query, replies []rueidis.RedisResult) (broker.Answer, error) {
	for i, reply := range replies {
		if err := reply.Error(); err != nil {
			return d.failed(q, &refusedCommand{i, err})
		}
	}
	depth, err := d.layout.depth(q, replies)
	if err != nil {
		return d.failed(q, err)
	}
	return broker.Answer{Depth: depth}, nil
}

func (d *driver) failed(q broker.Query, err error) (broker.Answer, error) {
	if !ofOneKey(err) {
		return broker.Answer{}, classify(err, d.config)
	}
	failure := classify(err, d.config)
	var command *refusedCommand
	if errors.As(err, &command) && broker.ReasonOf(failure) == broker.ReasonWrongType {
		key, kind := d.layout.key(q, command.index)
		failure = wrongType(fmt.Sprintf("the key %q is not a %s", key, kind), err, d.config)
	}
	return broker.Answer{Err: &broker.Error{
		Reason: broker.ReasonOf(failure), Err: err,
		Message: fmt.Sprintf("queue %q: %v", q.Queue, failure),
	}}, nil
}
