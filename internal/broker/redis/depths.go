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
	if err := d.follower.moved(); err != nil {
		return nil, err
	}
	now := time.Now()
	if len(queries) == 0 {
		return nil, d.answers(ctx, d.asides(now, ""))
	}
	asides := d.asides(now, queries[0].Queue)
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
		return answers, d.answers(ctx, asides)
	}
	for _, a := range asides {
		commands = append(commands, a.ask)
	}
	replies := d.client.DoMulti(ctx, commands...)
	own := len(replies) - len(asides)
	for i, a := range asides {
		if err := a.against(replies[own+i]); err != nil {
			return nil, err
		}
	}
	replies = replies[:own]
	for _, reply := range replies[:begin] {
		if err := reply.Error(); err != nil {
			return nil, classify(err, d.config)
		}
	}
	replies = replies[begin:]
	var full []int
	for i, q := range queries {
		if invalid[i] != nil {
			answers[i].Err = invalid[i]
			continue
		}
		own := replies[:lengths[i]]
		replies = replies[lengths[i]:]
		if len(own) > 1 && isFull(own[1:]) { // after MULTI
			full = append(full, i)
			continue
		}
		answer, err := d.answer(q, own)
		if err != nil {
			return nil, err
		}
		answers[i] = answer
	}
	if err := d.readFull(ctx, queries, full, now, answers); err != nil {
		return nil, err
	}
	return answers, d.follower.moved() // it may have been found out meanwhile
}

// answers makes sure that the server answers, and that nothing is against it.
func (d *driver) answers(ctx context.Context, asides []aside) error {
	for _, a := range asides {
		if err := a.against(d.client.Do(ctx, a.ask)); err != nil {
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
	if !ofOneKey(err) && (!d.config.Cluster || !ofSlot(err)) {
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
