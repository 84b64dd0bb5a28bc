package worker_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
	"github.com/quickube/qscaler/worker/internal/redistest"
	"github.com/quickube/qscaler/worker/redislist"
)

// clustered is a bench on the nodes of a cluster, of which the environment has one without the queue's slot.
func clustered(t *testing.T) (*bench, *redistest.Cluster) {
	t.Helper()
	c := redistest.StartCluster(t, redislist.Slot(queue))
	owner := c.Owner(redislist.Slot(queue))
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{owner.Addr()}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	b := &bench{TB: t, server: owner, redis: client, drain: filepath.Join(t.TempDir(), "drain")}
	other := c.Nodes[0]
	if other == owner {
		other = c.Nodes[1]
	}
	b.environment(other.Addr())
	t.Setenv(contract.EnvRedisCluster, "true")
	return b, c
}

// The slot of a queue moves to another node and back under load, key by key, and no task is lost, none is done twice, and none is
// interrupted. Then its node is killed, and the replica takes its place: what that has is done.
func TestCluster(t *testing.T) {
	b, c := clustered(t)
	slot := redislist.Slot(queue)
	client, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	k := newBooks(b)
	handler := func(ctx context.Context, task *worker.Task) error {
		if string(task.Payload[:5]) == "flaky" && task.Attempt == 1 {
			return errors.New("not yet")
		}
		if err := k.handler(ctx, task); err != nil {
			return err
		}
		if cause := context.Cause(ctx); cause != nil {
			t.Errorf("%s is interrupted: %v", task.Payload, cause)
		}
		return nil
	}
	var workers []*running
	for _, name := range []string{"pod-1", "pod-2"} {
		t.Setenv(contract.EnvPodName, name)
		begun := make(chan struct{})
		var once sync.Once
		workers = append(workers, b.start(func(ctx context.Context, task *worker.Task) error {
			once.Do(func() { close(begun) })
			return handler(ctx, task)
		}, worker.WithConcurrency(3), worker.WithBackoff(func(int) time.Duration { return 50 * time.Millisecond })))
		b.eventually("the worker to begin a task", func() string { // it has read its name then
			select {
			case <-begun:
				return ""
			default:
			}
			payload := fmt.Sprint("first-", len(k.pushed))
			b.do("LPUSH", queue, payload)
			k.pushed[payload] = true
			return name + " has not"
		})
	}

	n := 0
	enqueue := func() {
		n++
		for kind, option := range map[string]worker.EnqueueOption{
			"plain": worker.WithHeader("a", "b"), "flaky": worker.WithHeader("a", "b"),
			"later": worker.WithDelay(20 * time.Millisecond), "unique": worker.WithUnique(fmt.Sprint(n), time.Hour),
		} {
			payload := fmt.Sprint(kind, "-", n)
			// What has an error was refused: nothing else fails here. While the slot moves, only the tasks of one key can be pushed.
			if _, err := client.Enqueue(t.Context(), queue, []byte(payload), option); err == nil {
				k.pushed[payload] = true
			} else if kind == "plain" || kind == "flaky" {
				t.Errorf("a %s task is not enqueued: %v", kind, err)
			}
		}
		<-time.After(10 * time.Millisecond)
	}
	home := c.Owner(slot)
	away := c.Nodes[0]
	if away == home {
		away = c.Nodes[1]
	}
	for _, to := range []*redistest.Server{away, home, away, home} {
		for range 10 {
			enqueue()
		}
		c.Move(slot, to, enqueue)
	}
	k.balance()
	if again := k.again(); again > 0 {
		t.Errorf("%d of %d tasks were done twice", again, len(k.pushed))
	}
	t.Logf("%d tasks were done while their slot moved", len(k.pushed))

	replica := c.Nodes[len(c.Nodes)-1]
	c.AwaitReplica(replica)
	k.produce(0, 30, []*redistest.Server{home, replica})
	home.Kill()
	k.alone = replica
	k.produce(100, 30, []*redistest.Server{replica})
	k.balance()
	home.Restart() // it is a replica now
	c.AwaitOK()
	c.AwaitReplica(home)
	k.alone = nil
	k.produce(200, 10, []*redistest.Server{replica})
	k.balance()
	b.awaitEmpty()
	for _, r := range workers {
		r.cancel()
		r.left()
	}
}

// A client has queues on every node, and says which queues cannot be in a cluster.
func TestAClientOfACluster(t *testing.T) {
	b, c := clustered(t)
	client, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	owners := map[*redistest.Server]bool{}
	for i := range 20 {
		name := fmt.Sprint("queue-", i)
		owners[c.Owner(redislist.Slot(name))] = true
		if _, err := client.Enqueue(t.Context(), name, []byte("task"), worker.WithUnique("u", time.Hour), worker.WithDelay(time.Hour)); err != nil {
			t.Error(err)
		}
		if n := b.number("ZCARD", redislist.Delayed(name)); n != 1 {
			t.Errorf("%d tasks are delayed in %s", n, name)
		}
		if _, err := client.DeadLetters(t.Context(), name, 0, 1); err != nil {
			t.Error(err)
		}
	}
	if len(owners) != 3 {
		t.Errorf("the queues are on %d nodes", len(owners))
	}
	const scattered = "a}b"
	_, enqueued := client.Enqueue(t.Context(), scattered, nil)
	_, read := client.DeadLetters(t.Context(), scattered, 0, 1)
	_, replayed := client.Replay(t.Context(), scattered, worker.DeadLetter{ID: "x"})
	_, dropped := client.Drop(t.Context(), scattered, worker.DeadLetter{ID: "x"})
	for what, err := range map[string]error{"enqueuing": enqueued, "reading": read, "replaying": replayed, "dropping": dropped} {
		if err == nil || err.Error() != `the queue "a}b" has a } and no hash tag, so that a Redis Cluster has its keys in several slots; give it another name` {
			t.Errorf("%s says %v", what, err)
		}
	}
}

// A server that is no node of a cluster is told from one.
func TestAClusterThatIsNone(t *testing.T) {
	b := newBench(t)
	t.Setenv(contract.EnvRedisCluster, "true")
	if _, err := worker.ClientFromEnvironment(); err == nil || !strings.Contains(err.Error(), "QSCALER_REDIS_CLUSTER is true, and the server is no node") {
		t.Errorf("the client says %v", err)
	}
	log := &lines{}
	b.start(nothing, logTo(log))
	b.eventually("the log to say so", func() string {
		if text := log.String(); !strings.Contains(text, "cluster support disabled") {
			return "it has: " + text
		}
		return ""
	})
}

// A worker that was not told of the cluster says what to set.
func TestAClusterThatIsNotTold(t *testing.T) {
	b, _ := clustered(t)
	t.Setenv(contract.EnvRedisCluster, "")
	log := &lines{}
	b.start(nothing, logTo(log))
	b.eventually("the log to say so", func() string {
		if text := log.String(); !strings.Contains(text, "MOVED") || !strings.Contains(text, contract.EnvRedisCluster) {
			return "it has: " + text
		}
		return ""
	})
}
