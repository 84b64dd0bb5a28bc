package examples

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker/redislist"
)

// waitLimit bounds every wait; a wait ends as soon as what it waits for is there.
const waitLimit = 60 * time.Second

const podName = "example-qworker-1a2b3c-0123456789"

// stage is what one story needs: a Redis, a queue, and what the workers said.
type stage struct {
	command            []string
	queue              string
	username, password string
	database           int
	redis              *redisServer
	client             rueidis.Client
	address            string   // what the worker is told
	more               []string // of the environment
	journal            *journal
}

func (s *stage) startRedis(t *testing.T) {
	t.Helper()
	s.redis = newRedisServer(t)
	s.redis.start(t)
	s.address = s.redis.address
	if s.username != "" {
		s.connect(t, rueidis.ClientOption{})
		s.do(t, "ACL", "SETUSER", s.username, "on", ">"+s.password, "~*", "+@all")
		s.do(t, "ACL", "SETUSER", "default", "off")
	}
	s.connect(t, rueidis.ClientOption{Username: s.username, Password: s.password, SelectDB: s.database})
}

func (s *stage) connect(t *testing.T, option rueidis.ClientOption) {
	t.Helper()
	option.InitAddress, option.ForceSingleClient, option.DisableCache = []string{s.redis.address}, true, true
	client, err := rueidis.NewClient(option)
	must(t, err)
	t.Cleanup(client.Close)
	s.client = client
}

func (s *stage) startProxy(t *testing.T) *proxy {
	t.Helper()
	p := newProxy(t, s.redis.address)
	s.address = p.address
	return p
}

func (s *stage) startPod(t *testing.T) *pod {
	t.Helper()
	p := s.newPod(t)
	p.start(t)
	return p
}

func (s *stage) processing() string { return redislist.Processing(s.queue, podName) }

// do sends one command. It is tried again only while Redis comes back after a story killed it.
func (s *stage) do(t *testing.T, words ...string) rueidis.RedisResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	for {
		result := s.client.Do(ctx, s.client.B().Arbitrary(words...).Build())
		err := result.NonRedisError()
		if err == nil {
			if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
				t.Fatalf("%s, %v", words[0], err)
			}
			return result
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s, %v", words[0], err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *stage) push(t *testing.T, payload string) {
	t.Helper()
	s.do(t, "LPUSH", s.queue, payload)
}

func (s *stage) depth(t *testing.T) map[string]int64 {
	t.Helper()
	waiting, _ := s.do(t, "LLEN", s.queue).AsInt64()
	held, _ := s.do(t, "LLEN", s.processing()).AsInt64()
	return map[string]int64{"waiting": waiting, "held": held}
}

func (s *stage) waitForEmpty(t *testing.T) {
	t.Helper()
	eventually(t, "the queue and the pod's list are empty", func() bool {
		d := s.depth(t)
		return d["waiting"] == 0 && d["held"] == 0
	})
}

// waitForIdle waits until the worker has waited for tasks in vain, twice: every answer to what it did before has come to
// it by then. That Redis has acknowledged a task says less: the worker need not have heard of it.
func (s *stage) waitForIdle(t *testing.T) {
	t.Helper()
	s.waitForEmpty(t)
	waits := func() (n int) {
		text, err := s.do(t, "INFO", "commandstats").ToString()
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ = strings.Cut(text, "cmdstat_blmove:calls=")
		_, _ = fmt.Sscan(text, &n) // none yet
		return n
	}
	before := waits()
	eventually(t, "the worker waits for a task", func() bool { return waits() >= before+2 })
}

// waitFor waits until a worker has said the event, such as "done t-1".
func (s *stage) waitFor(t *testing.T, event string) {
	t.Helper()
	eventually(t, event, func() bool { return s.journal.counts()[event] > 0 })
}

func (s *stage) env(drainFile string) []string {
	env := []string{
		"QSCALER_QUEUE=" + s.queue,
		"QSCALER_BROKER=redis",
		"QSCALER_BROKER_ADDRESS=" + s.address,
		"POD_NAME=" + podName,
		"QSCALER_DRAIN_FILE=" + drainFile,
	}
	if s.username != "" {
		env = append(env, "QSCALER_BROKER_USERNAME="+s.username)
	}
	if s.password != "" {
		env = append(env, "QSCALER_BROKER_PASSWORD="+s.password)
	}
	if s.database != 0 {
		env = append(env, "QSCALER_BROKER_DATABASE="+strconv.Itoa(s.database))
	}
	return append(env, s.more...)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(waitLimit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", waitLimit, what)
		case <-tick.C:
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
