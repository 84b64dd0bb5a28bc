package worker_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/redistest"
)

// watched is a bench on the master of Sentinels; the address of one Sentinel is all that the environment has.
func watched(t *testing.T, lines ...string) (*bench, *redistest.Sentinels) {
	t.Helper()
	s := redistest.StartSentinels(t, lines...)
	b := &bench{TB: t, server: s.Master(), redis: s.Master().Client(), drain: filepath.Join(t.TempDir(), "drain")}
	b.environment(s.Sentinels[0].Addr())
	t.Setenv(contract.EnvRedisSentinelMaster, redistest.Master)
	return b, s
}

// books are what was pushed and what was done.
type books struct {
	*bench
	done   chan string
	pushed map[string]bool
	times  map[string]int
	// alone is a server that has no replica, and is not killed before it has one.
	alone *redistest.Server
}

func newBooks(b *bench) *books {
	const many = 1 << 16
	return &books{bench: b, done: make(chan string, many), pushed: map[string]bool{}, times: map[string]int{}}
}

func (k *books) handler(_ context.Context, t *worker.Task) error {
	<-time.After(2 * time.Millisecond)
	k.done <- string(t.Payload)
	return nil
}

// push pushes a task to a server, and waits until a replica has it, unless the server is alone. It counts as pushed only then:
// of a write that no replica has, Redis promises nothing once the master is dead.
func (k *books) push(server *redistest.Server, payload string) error {
	client, err := rueidis.NewClient(redistest.Option(server.Addr()))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Dedicated(func(c rueidis.DedicatedClient) error {
		if err := c.Do(context.Background(), c.B().Lpush().Key(queue).Element(payload).Build()).Error(); err != nil {
			return err
		}
		if server == k.alone {
			k.pushed[payload] = true
			return nil
		}
		copies, err := c.Do(context.Background(), c.B().Arbitrary("WAIT", "1", "1000").Build()).AsInt64()
		if err == nil && copies == 0 {
			err = errors.New("no replica has it")
		}
		if err == nil {
			k.pushed[payload] = true
		}
		return err
	})
}

// produce pushes so many tasks to the server that takes them, from number on.
func (k *books) produce(from, n int, servers []*redistest.Server) {
	k.Helper()
	at := 0
	for i := from; i < from+n; i++ {
		deadline := time.Now().Add(longestWait)
		for try := 0; ; try++ {
			payload := fmt.Sprintf("%d.%d", i, try) // one whose push nobody has confirmed may be there, too
			err := k.push(servers[at], payload)
			if err == nil {
				break
			}
			if at = (at + 1) % len(servers); time.Now().After(deadline) {
				k.Fatalf("nobody takes a task: %v", err)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}

// balance waits until all that was pushed is done.
func (k *books) balance() {
	k.Helper()
	deadline := time.After(longestWait)
	for missing := k.missing(); missing > 0; missing = k.missing() {
		select {
		case payload := <-k.done:
			k.times[payload]++
		case <-deadline:
			k.Fatalf("%d of %d tasks are not done", missing, len(k.pushed))
		}
	}
}

func (k *books) missing() (n int) {
	for payload := range k.pushed {
		if k.times[payload] == 0 {
			n++
		}
	}
	return n
}

// again is how many tasks were done more than once.
func (k *books) again() (n int) {
	for _, times := range k.times {
		if times > 1 {
			n++
		}
	}
	return n
}

// A worker and a producer follow the master that Sentinels name: after it was killed, though the Sentinel of the environment is
// gone, too; after it was told to change places with its replica; and after each server was started again. What a replica has is
// done.
func TestSentinelFailover(t *testing.T) {
	b, s := watched(t)
	client, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	k := newBooks(b)
	r := b.start(k.handler, worker.WithConcurrency(4))

	first, second := s.Servers[0], s.Servers[1]
	k.produce(0, 20, s.Servers)
	s.Sentinels[0].Kill()
	killed := make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() { // while tasks are pushed
		first.Kill()
		close(killed)
	})
	k.alone = second
	k.produce(100, 100, s.Servers)
	<-killed
	k.balance()

	first.Restart()
	s.AwaitReplica()
	s.AwaitMaster(second)
	k.alone = nil
	k.produce(200, 20, s.Servers)
	for _, sentinel := range s.Sentinels[1:] {
		if err := sentinel.Do("SENTINEL", "FAILOVER", redistest.Master).Error(); err == nil {
			break
		}
	}
	s.AwaitMaster(first)
	s.AwaitReplica()
	k.produce(300, 20, s.Servers)
	b.eventually("the producer to follow", func() string {
		if _, err := client.Enqueue(t.Context(), queue, []byte("enqueued")); err != nil {
			return err.Error()
		}
		return ""
	})
	k.pushed["enqueued"] = true
	k.balance()

	second.Kill() // the replica
	second.Restart()
	s.AwaitReplica()
	k.produce(400, 10, s.Servers)
	k.balance()
	r.cancel()
	r.left()
	b.redis = first.Client()
	if n := b.waiting() + b.inHand(); n > 0 {
		t.Errorf("%d are left", n)
	}
	t.Logf("%d tasks were pushed, and %d of them done again", len(k.pushed), k.again())
}

// A Sentinel that is behind the times names a server that is a replica: there a worker could read that it holds its task no
// more. It asks the other Sentinels.
func TestASentinelThatIsBehind(t *testing.T) {
	b, s := watched(t)
	behind := redistest.StartSentinel(t, s.Servers[1], 2,
		fmt.Sprintf("sentinel known-sentinel %s 127.0.0.1 %s %040d", redistest.Master, s.Sentinels[1].Port(), 1))
	t.Setenv(contract.EnvBrokerAddress, behind.Addr())
	done, log := make(chan string, 1), &lines{}
	r := b.start(func(_ context.Context, k *worker.Task) error { done <- string(k.Payload); return nil }, logTo(log))
	b.do("LPUSH", queue, "task")
	b.eventually("the task to be done", func() string {
		if len(done) == 0 {
			return "the log has: " + log.String()
		}
		return ""
	})
	b.awaitEmpty()
	r.cancel()
	r.left()
	if text := log.String(); strings.Contains(text, "READONLY") {
		t.Errorf("it has worked on the replica: %s", text)
	}
}

// Sentinels have a login of their own.
func TestTheLoginOfSentinels(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "of-servers")
	sentinel := redistest.StartSentinel(t, server, 1, "requirepass of-sentinels", "sentinel auth-pass "+redistest.Master+" of-servers")
	b := &bench{TB: t, server: server, drain: filepath.Join(t.TempDir(), "drain")}
	b.environment(sentinel.Addr())
	t.Setenv(contract.EnvRedisSentinelMaster, redistest.Master)
	t.Setenv(contract.EnvBrokerPassword, "of-servers")
	t.Setenv(contract.EnvRedisSentinelPassword, "another")
	b.start(nothing, worker.WithLockoutLimit(100*time.Millisecond)).lockedOut("WRONGPASS")

	t.Setenv(contract.EnvRedisSentinelPassword, "of-sentinels")
	t.Setenv(contract.EnvBrokerDatabase, "3")
	client, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Enqueue(t.Context(), queue, []byte("task")); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	r := b.start(func(_ context.Context, k *worker.Task) error { done <- string(k.Payload); return nil })
	receive(b, done, "task")
	r.cancel()
	r.left()
}

// A wrong name of a master, or a server that is none, is told in the log, and tried again.
func TestWhatSentinelDoesNotKnow(t *testing.T) {
	server := redistest.Start(t)
	sentinel := redistest.StartSentinel(t, server, 1)
	for name, c := range map[string]struct{ address, master, said string }{
		"a master of another name":          {sentinel.Addr(), "another", "has no master of this name"},
		"a server in place of a Sentinel":   {server.Addr(), redistest.Master, "unknown command 'SENTINEL'"},
		"a Sentinel in place of a server":   {sentinel.Addr(), "", contract.EnvRedisSentinelMaster},
		"nobody in the place of a Sentinel": {"127.0.0.1:1", redistest.Master, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{TB: t, server: server, drain: filepath.Join(t.TempDir(), "drain")}
			b.environment(c.address)
			t.Setenv(contract.EnvRedisSentinelMaster, c.master)
			log := &lines{}
			b.start(nothing, logTo(log))
			b.eventually("the log to say so", func() string {
				if text := log.String(); !strings.Contains(text, c.said) {
					return "it has: " + text
				}
				return ""
			})
		})
	}
}

func nothing(context.Context, *worker.Task) error { return nil }

// What variables say of Sentinel and Cluster that cannot be is an error at once, which names them.
func TestWhatVariablesOfSentinelAndClusterMayNotSay(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		want      string
	}{
		"both": {
			map[string]string{contract.EnvRedisCluster: "true", contract.EnvRedisSentinelMaster: "m"},
			`QSCALER_REDIS_CLUSTER is true and QSCALER_REDIS_SENTINEL_MASTER is "m"; set one of them`,
		},
		"a password without a master": {
			map[string]string{contract.EnvRedisSentinelPassword: "secret"},
			"QSCALER_REDIS_SENTINEL_PASSWORD is set and QSCALER_REDIS_SENTINEL_MASTER is not; set the name of the master, or remove the first",
		},
		"a user without a master": {
			map[string]string{contract.EnvRedisSentinelUsername: "u"},
			"QSCALER_REDIS_SENTINEL_USERNAME is set and QSCALER_REDIS_SENTINEL_MASTER is not; set the name of the master, or remove the first",
		},
		"a database of a cluster": {
			map[string]string{contract.EnvRedisCluster: "true", contract.EnvBrokerDatabase: "3"},
			`QSCALER_BROKER_DATABASE is "3" and QSCALER_REDIS_CLUSTER is true; a Redis Cluster has the database 0 alone: remove the first`,
		},
		"neither true nor false": {
			map[string]string{contract.EnvRedisCluster: "yes"},
			`QSCALER_REDIS_CLUSTER is "yes"; it must be true, false or empty`,
		},
		"a queue in several slots": {
			map[string]string{contract.EnvRedisCluster: "true", contract.EnvQueue: "a}b"},
			`the queue "a}b" has a } and no hash tag, so that a Redis Cluster has its keys in several slots; give it another name`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{TB: t, drain: filepath.Join(t.TempDir(), "drain")}
			b.environment("127.0.0.1:1")
			for name, value := range c.variables {
				t.Setenv(name, value)
			}
			if err := worker.Run(t.Context(), nothing, quiet()); err == nil || err.Error() != c.want {
				t.Errorf("the worker says: %v\nwant: %s", err, c.want)
			}
			if c.variables[contract.EnvQueue] != "" { // a producer names a queue at each call
				return
			}
			if _, err := worker.ClientFromEnvironment(); err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("the client says: %v\nwant: %s", err, c.want)
			}
		})
	}
}
