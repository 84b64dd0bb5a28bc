package worker_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/quickube/qscaler/worker"
	"github.com/quickube/qscaler/worker/internal/redistest"
)

// follow has a server be a replica of another.
func (b *bench) follow(primary *redistest.Server) {
	b.Helper()
	host, port, err := net.SplitHostPort(primary.Addr())
	if err != nil {
		b.Fatal(err)
	}
	b.do("REPLICAOF", host, port)
}

// After a failover the address leads to another server, and the one before it lives on as a replica, which ends no
// connection: the worker and a producer go on with the new one by themselves.
func TestAFailoverBehindTheAddress(t *testing.T) {
	before := newBench(t)
	before.do("CONFIG", "SET", "repl-diskless-sync-delay", "0")
	server := redistest.Start(t)
	after := &bench{TB: t, server: server, redis: server.Client(), drain: before.drain}
	address := newLine(t, before.server.Addr(), 0)
	before.environment(address.addr())
	client, err := worker.ClientFromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Enqueue(t.Context(), queue, []byte("begun before")); err != nil {
		t.Fatal(err)
	}

	begun, finish := make(chan string, 10), make(chan struct{})
	r := before.start(func(_ context.Context, k *worker.Task) error {
		begun <- string(k.Payload)
		<-finish
		return nil
	}, worker.WithConcurrency(2)) // so that it waits for another meanwhile
	receive(before, begun, "task")

	after.follow(before.server)
	after.eventually("the replica to have the task", func() string {
		if n := after.inHand(); n != 1 {
			return fmt.Sprintf("%d are in hand there", n)
		}
		return ""
	})
	after.do("REPLICAOF", "NO", "ONE")
	before.follow(server)
	address.lead(server.Addr())
	close(finish)

	after.awaitEmpty()
	after.eventually("the producer to go on", func() string {
		if _, err := client.Enqueue(t.Context(), queue, []byte("pushed after")); err != nil {
			return err.Error()
		}
		return ""
	})
	if got := receive(after, begun, "second task"); got != "pushed after" {
		t.Errorf("the second task is %q", got)
	}
	after.awaitEmpty()
	r.cancel()
	r.left()
}
