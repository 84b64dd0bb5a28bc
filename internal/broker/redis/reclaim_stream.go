package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// streams is a driver of streams, whose groups keep what each consumer has taken.
type streams struct{ holdings }

const (
	// sharedStream is what the error of reclaimStreamLua begins with where a stream has several groups.
	sharedStream = "SHAREDSTREAM"
	// deliveriesField is the last field of an entry that was returned: how often its task was delivered before.
	deliveriesField = "qscaler-deliveries"
	// mostDeliveries is how often a task is delivered before it is a dead letter.
	mostDeliveries = "20"
	// mostValues is how many names and values of fields an entry has at most that is moved.
	mostValues = "7000"
)

// Reclaim returns what a dead consumer holds to the end of the stream, in atomic steps. Each looks at the claim. The error
// tells of entries that are too wide to move, after all others have moved.
func (d streams) Reclaim(ctx context.Context, c broker.Claim, name, worker string) (moved int64, err error) {
	queue, group := broker.SplitName(name)
	wide := int64(0)
	for from := "-"; ; {
		eval := d.client.B().Eval().Script(reclaimStreamLua).Numkeys(3).Key(queue, redislist.Operator(c.Cluster), redislist.Dead(queue)).
			Arg(c.Process, group, worker, reclaimStep, mostDeliveries, from, mostValues).Build()
		step, err := stepOf(d.client.Do(ctx, eval))
		if isWrongType(err) {
			return moved, wrongType(fmt.Sprintf("the key %q or the key %q is not a stream", queue, redislist.Dead(queue)), err, d.config)
		}
		if errors.Is(err, errNoStep) {
			return moved, fmt.Errorf("reclaiming what %s holds of %s, %w", worker, queue, err)
		}
		if err != nil {
			return moved, classify(err, d.config)
		}
		moved, wide, from = moved+step.moved, wide+step.wide, "("+step.last
		if step.left > 0 {
			continue
		}
		if wide > 0 {
			return moved, fmt.Errorf("%d entries that %s holds of %s have more than %s names and values of fields, which is more than a script of Redis can copy: have a worker claim them with XCLAIM, or acknowledge them with XACK", wide, worker, queue, mostValues)
		}
		return moved, nil
	}
}

// streamStep is the answer of reclaimStreamLua.
type streamStep struct {
	moved, left, done, wide int64
	last                    string
}

// errNoStep is the error for an answer that reclaimStreamLua does not give.
var errNoStep = errors.New("the server does not answer how many entries it has moved, how many are left, and how many are done with")

func stepOf(reply rueidis.RedisResult) (s streamStep, err error) {
	values, err := reply.ToArray()
	if err != nil {
		return s, err
	}
	if len(values) != 5 {
		return s, errNoStep
	}
	for i, into := range []*int64{&s.moved, &s.left, &s.done, &s.wide} {
		if *into, err = values[i].AsInt64(); err != nil || *into < 0 {
			return s, errNoStep
		}
	}
	if s.last, err = values[4].ToString(); err != nil {
		return s, errNoStep
	}
	if s.done < s.moved || s.done-s.moved < s.wide || (s.done == 0 && s.left > 0) { // the last would not end
		return s, errNoStep
	}
	return s, nil
}

// Held is broker.Reclaimer's.
func (d streams) Held(ctx context.Context, name string, workers []string) ([]int64, error) {
	q := broker.Query{}
	q.Queue, q.Group = broker.SplitName(name)
	for _, worker := range workers {
		q.Workers = append(q.Workers, broker.Worker{PodName: worker})
	}
	answers, err := d.Depths(ctx, []broker.Query{q})
	if err != nil {
		return nil, err
	}
	if answers[0].Err != nil {
		return nil, answers[0].Err
	}
	held := make([]int64, len(workers))
	for i, worker := range workers {
		held[i] = answers[0].Depth.Held[worker]
	}
	return held, nil
}

// Holders finds the consumers with entries of all groups of all streams, in one incremental walk over the keys. A stream
// costs one round trip, and one more for each of its groups that has any entries taken. What this user may not read is
// left out.
func (d streams) Holders(ctx context.Context) (holders []broker.Holder, err error) {
	found := &search{of: d.searches}
	defer found.end()
	scan := func(cursor uint64) rueidis.Completed {
		return d.client.B().Scan().Cursor(cursor).Count(scanCount).Type("stream").Build()
	}
	err = d.walk(ctx, scan, func(key string) (time.Duration, error) {
		return d.page(ctx, true, func(ctx context.Context) error {
			of, err := d.holdersOf(ctx, key)
			for _, h := range of {
				if err := found.take(h.Queues[0] + h.Worker); err != nil {
					return err
				}
			}
			holders = append(holders, of...)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return holders, nil
}

// holdersOf are those of one stream.
func (d streams) holdersOf(ctx context.Context, key string) (holders []broker.Holder, err error) {
	groups, err := d.client.Do(ctx, d.client.B().XinfoGroups().Key(key).Build()).ToArray()
	if err != nil {
		return nil, unlessRefused(err)
	}
	for _, g := range groups {
		fields, err := g.AsMap()
		if err != nil {
			return nil, err
		}
		name, pending := fields["name"], fields["pending"]
		group, err := name.ToString()
		if err != nil || group == "" {
			return nil, fmt.Errorf("the server names no group of the stream %q", broker.Words(key, d.config.Password))
		}
		n, err := pending.AsInt64()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		summary, err := d.client.Do(ctx, d.client.B().Xpending().Key(key).Group(group).Build()).ToArray()
		if err != nil {
			if failure := unlessRefused(err); failure != nil {
				return nil, failure
			}
			continue
		}
		if len(summary) != 4 {
			return nil, fmt.Errorf("the server answers %d words of what is taken of the stream %q, and not 4", len(summary), broker.Words(key, d.config.Password))
		}
		if summary[3].IsNil() { // it is acknowledged since
			continue
		}
		consumers, err := summary[3].ToArray()
		if err != nil {
			return nil, err
		}
		for _, c := range consumers {
			pair, err := c.AsStrSlice()
			if err != nil || len(pair) != 2 {
				return nil, fmt.Errorf("the server names consumers of the stream %q in a way that Redis does not", broker.Words(key, d.config.Password))
			}
			holders = append(holders, broker.Holder{Queues: []string{broker.NameOf(key, group)}, Worker: pair[0]})
		}
	}
	return holders, nil
}

// unlessRefused is an error that is none of a key alone: that this user may not read it, or that it is gone, or is another's.
func unlessRefused(err error) error {
	if text, ok := refused(err); ok && (ofOneKey(err) || strings.HasPrefix(text, "NOGROUP") || strings.HasPrefix(text, "no such key")) {
		return nil
	}
	return err
}
