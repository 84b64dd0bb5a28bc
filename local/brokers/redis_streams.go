package brokers

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/api/v1alpha1"
	"github.com/quickube/qscaler/local/exampleworkers"
	"github.com/quickube/qscaler/local/redisserver"
)

// streamGroup is the consumer group in the manifest of the example worker.
const streamGroup = "example-workers"

// RedisStreams is a real redis-server. Its queues are streams, read by one group.
func RedisStreams() Broker {
	return Broker{
		Name: "redis-streams", Start: startRedisStreams, Config: redisStreamsConfig,
		Image: exampleworkers.PythonStream, Group: streamGroup,
		Example: "worker-python-stream", QWorker: "example-worker-python-stream", ScalerConfig: "redis-streams",
		MissingWorker: exampleworkers.MissingPython, Verb: "XADD", Connect: connectRedisStream, Push: pushRedisStream, MissingClient: missingRedisCLI,
	}
}

// startRedisStreams has no stand-in: that one has no streams that can be relied on.
func startRedisStreams(ctx context.Context, o Options) (Server, error) {
	program, err := redisserver.Program.Get(ctx, o.Progress)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return startRedisServer(ctx, o, program)
}

func redisStreamsConfig(server Server, password *v1alpha1.PasswordSource) v1alpha1.ScalerConfigSpec {
	spec := redisConfig(server, password)
	spec.Config.Redis = &v1alpha1.RedisConfig{Layout: v1alpha1.RedisStream}
	return spec
}

func pushRedisStream(server Server) string {
	return `for i in 1 2 3 4 5 6; do redis-cli -p ` + strconv.Itoa(server.Port()) + ` XADD task-queue '*' task '{"id":"t-'$i'","ms":5000}'; done`
}

// redisStream is a stream with its group.
type redisStream struct {
	client rueidis.Client
	name   string
}

func connectRedisStream(ctx context.Context, server Server, password, queue string) (Queue, error) {
	client, err := redisClient(server, password)
	if err != nil {
		return nil, err
	}
	// From the beginning: what was added before is to be done as well.
	err = client.Do(ctx, client.B().XgroupCreate().Key(queue).Group(streamGroup).Id("0").Mkstream().Build()).Error()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") { // it is there
		client.Close()
		return nil, fmt.Errorf("making the group %s of the stream %s, %w", streamGroup, queue, err)
	}
	return &redisStream{client, queue}, nil
}

// Push is Queue's.
func (q *redisStream) Push(ctx context.Context, payload string) error {
	return q.client.Do(ctx, q.client.B().Xadd().Key(q.name).Id("*").FieldValue().FieldValue("task", payload).Build()).Error()
}

// Depth is Queue's: what comes after the entry that the group was given last, and what it has not acknowledged.
func (q *redisStream) Depth(ctx context.Context, _ []string) (waiting, inFlight int64, err error) {
	entries, err := q.unread(ctx)
	if err != nil {
		return 0, 0, err
	}
	pending, err := q.pending(ctx)
	return int64(len(entries)), int64(len(pending)), err
}

// unread are the entries that the group was not given yet.
func (q *redisStream) unread(ctx context.Context) ([]rueidis.XRangeEntry, error) {
	groups, err := q.client.Do(ctx, q.client.B().XinfoGroups().Key(q.name).Build()).ToArray()
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		about, err := group.AsMap()
		if err != nil {
			return nil, err
		}
		name, last := about["name"], about["last-delivered-id"]
		if text, err := name.ToString(); err != nil || text != streamGroup {
			continue
		}
		after, err := last.ToString()
		if err != nil {
			return nil, err
		}
		return q.client.Do(ctx, q.client.B().Xrange().Key(q.name).Start("("+after).End("+").Build()).AsXRange()
	}
	return nil, fmt.Errorf("the stream %s has no group %s", q.name, streamGroup)
}

// pending are the IDs of the entries that the group was given and has not acknowledged. The demo has fewer than a thousand.
func (q *redisStream) pending(ctx context.Context) ([]string, error) {
	list := q.client.B().Xpending().Key(q.name).Group(streamGroup).Start("-").End("+").Count(1000).Build()
	rows, err := q.client.Do(ctx, list).ToArray()
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		fields, err := row.ToArray()
		if err != nil || len(fields) == 0 {
			return nil, fmt.Errorf("XPENDING has a row without an ID (%w)", err)
		}
		if ids[i], err = fields[0].ToString(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// Payloads is Queue's.
func (q *redisStream) Payloads(ctx context.Context) ([]string, error) {
	entries, err := q.unread(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := q.pending(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		held, err := q.client.Do(ctx, q.client.B().Xrange().Key(q.name).Start(id).End(id).Build()).AsXRange()
		if err != nil {
			return nil, err
		}
		entries = append(entries, held...)
	}
	payloads := make([]string, len(entries))
	for i, entry := range entries {
		payloads[i] = entry.FieldValues["task"]
	}
	return payloads, nil
}

// Close is Queue's.
func (q *redisStream) Close() { q.client.Close() }
