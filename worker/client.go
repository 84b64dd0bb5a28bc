package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/enqueue"
	"github.com/quickube/qscaler/worker/redislist"
)

// Client enqueues tasks, and handles dead letters. A producer does not need one: LPUSH of a payload is a task, too.
type Client struct{ redis rueidis.Client }

// NewClient returns a client on a connection of the caller, who closes it. It may be one to a Redis Cluster, or one by
// Sentinel.
func NewClient(redis rueidis.Client) *Client { return &Client{redis: redis} }

// ClientFromEnvironment returns a client on the broker that QScaler's environment describes, for handlers that
// enqueue further tasks. Close it.
func ClientFromEnvironment() (*Client, error) {
	if os.Getenv(contract.EnvBrokerAddress) == "" {
		return nil, fmt.Errorf("the environment has no %s", contract.EnvBrokerAddress)
	}
	option, err := redisOption(os.Getenv)
	if err != nil {
		return nil, err
	}
	redis, err := connectClient(os.Getenv, option)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s, %w", option.InitAddress[0], err)
	}
	return NewClient(redis), nil
}

// connectClient connects a producer. Unlike a worker it may have queues on every node of a cluster.
func connectClient(getenv func(string) string, option rueidis.ClientOption) (rueidis.Client, error) {
	cluster, err := clustered(getenv)
	if err != nil {
		return nil, err
	}
	if !cluster {
		server, err := locator(getenv, option, "")
		if err != nil {
			return nil, err
		}
		return connect(option, server)
	}
	option.ForceSingleClient = false
	redis, err := rueidis.NewClient(option)
	if err == nil && redis.Mode() != rueidis.ClientModeCluster {
		redis.Close()
		return nil, fmt.Errorf("%s is true, and the server is no node of a Redis Cluster; remove it", contract.EnvRedisCluster)
	}
	return redis, err
}

// Close closes the connection.
func (c *Client) Close() { c.redis.Close() }

// ErrDuplicate is the error for a task whose uniqueness key belongs to another task of the queue that is neither done
// nor dead.
var ErrDuplicate = errors.New("the queue has a task with this uniqueness key already")

// EnqueueOption changes how a task is enqueued.
type EnqueueOption func(*enqueue.Options)

// WithID sets the task's identifier: 1 to 128 of A-Z a-z 0-9 . _ -. The default is random.
func WithID(id string) EnqueueOption { return func(o *enqueue.Options) { o.ID = id } }

// WithHeader adds a header. Name and value must be valid UTF-8; all headers together, as JSON, are 64 KiB at most.
func WithHeader(name, value string) EnqueueOption {
	return func(o *enqueue.Options) {
		if o.Headers == nil {
			o.Headers = map[string]string{}
		}
		o.Headers[name] = value
	}
}

// WithDelay delays the task by d: before that no worker may take it. It counts as demand once it is due. If no worker
// runs then, the operator sees it up to its safety interval (5 s) later.
func WithDelay(d time.Duration) EnqueueOption { return func(o *enqueue.Options) { o.Delay = d } }

// WithUnique refuses the task with ErrDuplicate while another one with the same key is in the queue, in hand or
// waiting for its next attempt. The key is free again when that task is done or dead, and at the latest d
// after it is due, which is at once without WithDelay. d must be more than 0 and is rounded up to a millisecond. The key
// must be valid UTF-8, and not empty.
func WithUnique(key string, d time.Duration) EnqueueOption {
	return func(o *enqueue.Options) { o.HasUnique, o.Unique, o.UniqueFor = true, key, d }
}

var enqueueScript = rueidis.NewLuaScript(redislist.EnqueueScript)

// Enqueue adds a task to a queue and returns its identifier. After any error but ErrDuplicate and those of the
// options, nobody knows whether the task was added. Trying again with the same WithUnique key adds no second task,
// unless the first is done or dead by then. With the same WithID, too, a handler can tell that they are one.
func (c *Client) Enqueue(ctx context.Context, queue string, payload []byte, opts ...EnqueueOption) (id string, err error) {
	o := enqueue.New()
	for _, option := range opts {
		option(&o)
	}
	if err := o.Check(queue); err != nil {
		return "", err
	}
	if err := c.check(queue); err != nil {
		return "", err
	}
	before, after := o.Task(string(payload)).AroundFirst()
	keys := []string{queue, queue, queue}
	if o.Delay > 0 { // a key that is not needed is not named: while a slot of a cluster moves, all that are must be there
		keys[1] = redislist.Delayed(queue)
	}
	if o.Unique != "" {
		keys[2] = redislist.Unique(queue, o.Unique)
	}
	added, err := enqueueScript.Exec(ctx, c.redis, keys, []string{
		rand.Text(), before, after, strconv.FormatInt(milliseconds(o.Delay), 10),
		o.Owner(), strconv.FormatInt(milliseconds(o.Delay)+milliseconds(o.UniqueFor), 10),
	}).AsInt64()
	switch {
	case err != nil:
		return "", fmt.Errorf("enqueuing to %s, %w", queue, err)
	case added == 0:
		return "", fmt.Errorf("enqueuing to %s with key %q, %w", queue, o.Unique, ErrDuplicate)
	}
	return o.ID, nil
}

// check says why the client cannot work on a queue.
func (c *Client) check(queue string) error {
	if c.redis.Mode() == rueidis.ClientModeCluster && !redislist.InOneSlot(queue) {
		return scattered(queue)
	}
	return nil
}

// milliseconds is a duration in whole milliseconds, rounded up; 0 for none.
func milliseconds(d time.Duration) int64 {
	whole := int64(max(d, 0) / time.Millisecond)
	if d > 0 && d%time.Millisecond > 0 { // not before the division: the longest would overflow
		whole++
	}
	return whole
}

// DeadLetters returns up to limit dead letters of a queue after the first so many, the youngest first. Each comes with
// its payload, however long. Where that cannot be read, its Error says so.
func (c *Client) DeadLetters(ctx context.Context, queue string, after, limit int64) ([]DeadLetter, error) {
	if limit <= 0 || after < 0 {
		return nil, fmt.Errorf("%d dead letters after the first %d: the one must be more than 0, the other 0 or more", limit, after)
	}
	if err := c.check(queue); err != nil {
		return nil, err
	}
	limit = min(limit, math.MaxInt64-after)
	list := c.redis.B().Lrange().Key(redislist.Dead(queue)).Start(after).Stop(after + limit - 1).Build()
	elements, err := c.redis.Do(ctx, list).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("reading the dead letters of %s, %w", queue, err)
	}
	letters := make([]DeadLetter, len(elements))
	for i, element := range elements {
		if letters[i], err = ParseDeadLetter(element); err != nil {
			letters[i] = unreadable(element, err) // one line must not hide the others
			continue
		}
		if err := c.readPayload(ctx, queue, &letters[i]); err != nil {
			return nil, fmt.Errorf("reading the payload of dead letter %s of %s, %w", letters[i].ID, queue, err)
		}
	}
	return letters, nil
}

// readPayload reads the payload that a letter keeps apart.
func (c *Client) readPayload(ctx context.Context, queue string, d *DeadLetter) error {
	if d.PayloadField == "" {
		return nil
	}
	payload, err := c.redis.Do(ctx, c.redis.B().Hget().Key(redislist.DeadPayloads(queue)).Field(d.PayloadField).Build()).AsBytes()
	if err == nil {
		d.Payload = payload
		return nil
	}
	why, answered := refusal(err)
	if rueidis.IsRedisNil(err) {
		why, answered = "it is gone", true
	}
	if !answered {
		return err
	}
	d.Error += fmt.Sprintf(" (and its payload, in %s, cannot be read: %s)", redislist.DeadPayloads(queue), why)
	return nil
}

var replayScript = rueidis.NewLuaScript(redislist.ReplayScript)

// Replay puts a dead letter back into its queue as a task that was never tried, with the same identifier, and with
// the payload and the headers of d: you may change them before. It is not ok when somebody else has replayed or
// dropped it.
func (c *Client) Replay(ctx context.Context, queue string, d DeadLetter) (ok bool, err error) {
	if err := redislist.CheckID(d.ID); err != nil {
		return false, fmt.Errorf("replaying a dead letter of %s (%s), %w", queue, d.Error, err)
	}
	if err := c.check(queue); err != nil {
		return false, err
	}
	unread := ""
	if d.PayloadField != "" && d.Payload == nil {
		unread = "1"
	}
	moved, err := replayScript.Exec(ctx, c.redis, []string{redislist.Dead(queue), queue, redislist.DeadPayloads(queue)},
		[]string{d.raw, d.envelope() + string(d.Payload), d.PayloadField, unread}).AsInt64()
	switch {
	case err != nil:
		return false, fmt.Errorf("replaying dead letter %s of %s, %w", d.ID, queue, err)
	case moved < 0:
		return false, fmt.Errorf("replaying dead letter %s of %s, its payload is gone from %s", d.ID, queue, redislist.DeadPayloads(queue))
	}
	return moved > 0, nil
}

var dropScript = rueidis.NewLuaScript(redislist.DropScript)

// Drop deletes a dead letter. It is not ok when somebody else has replayed or dropped it.
func (c *Client) Drop(ctx context.Context, queue string, d DeadLetter) (ok bool, err error) {
	if err := c.check(queue); err != nil {
		return false, err
	}
	removed, err := dropScript.Exec(ctx, c.redis, []string{redislist.Dead(queue), redislist.DeadPayloads(queue)},
		[]string{d.raw, d.PayloadField}).AsInt64()
	if err != nil {
		return false, fmt.Errorf("dropping dead letter %s of %s, %w", d.ID, queue, err)
	}
	return removed > 0, nil
}
