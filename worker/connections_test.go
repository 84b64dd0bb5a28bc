package worker_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/contract"
)

// A worker has one connection for its commands, which come to Redis in order then, and one to wait on; a client has
// one. There may be a thousand workers.
func TestConnectionsAreFew(t *testing.T) {
	b := newBench(t)
	b.do("ACL", "SETUSER", "worker", "on", ">password", "~*", "+@all")
	t.Setenv(contract.EnvBrokerUsername, "worker")
	t.Setenv(contract.EnvBrokerPassword, "password")
	client, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, tasks := b.catch(worker.WithConcurrency(10))
	const some = 50
	for i := range some {
		if _, err := client.Enqueue(t.Context(), fmt.Sprint("queue-", i), nil); err != nil {
			t.Fatal(err)
		}
		b.do("LPUSH", queue, "task")
		receive(b, tasks, "task")
	}
	b.awaitEmpty()
	clients, err := b.do("CLIENT", "LIST").ToString()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(clients, "user=worker"); n > 3 {
		t.Errorf("%d connections, want 3 at most:\n%s", n, clients)
	}
	r.cancel()
	r.left()
}
