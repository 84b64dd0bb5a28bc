package redis

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/local/redisserver"
	"github.com/quickube/qscaler/local/redisserver/redisservertest"
	"github.com/quickube/qscaler/worker/redislist"
)

// A node that is killed takes down its own queues, and the others are read on. Its replica is read once it has its slots.
func TestANodeOfAClusterThatIsKilled(t *testing.T) {
	c := redisservertest.StartCluster(t, 3, true, time.Second)
	queues := queueOf(c)
	var queries []broker.Query
	for i, s := range c.Masters {
		plainClient(t, s.Addr())("RPUSH", queues[i], "1", "2", "3")
		queries = append(queries, broker.Query{Queue: queues[i]})
		redisservertest.Eventually(t, "the replica has the tasks", func() bool {
			keys, err := redisservertest.Ask(t, c.Replicas[i].Addr(), "", "DBSIZE")
			return err == nil && strings.Contains(keys.String(), "1")
		})
	}
	b := newBell()
	d := open(t, inCluster(c.Masters[0]), b.ring)
	depths(t, d, queries...)
	for len(b.rung) > 0 {
		<-b.rung
	}
	const dead = 1
	if err := c.Masters[dead].Kill(); err != nil {
		t.Fatal(err)
	}
	if a := depths(t, d, queries[dead]); a[0].Err == nil { // a call for that queue alone is no failure of the others either
		t.Error("a node that is killed has answered")
	}
	if _, err := d.Depths(t.Context(), nil); err != nil {
		t.Errorf("with two nodes that answer: %v", err)
	}
	began := time.Now()
	for failures := 0; ; failures++ {
		answers := depths(t, d, queries...) // it is the queue, and not the broker, that fails
		for i, a := range answers {
			switch {
			case a.Err != nil && i != dead:
				t.Errorf("queue %d: %v", i, a.Err)
			case a.Err == nil && a.Depth.Waiting != broker.CountOf(3):
				t.Errorf("queue %d: %+v, want 3 waiting", i, a.Depth)
			}
		}
		if answers[dead].Err == nil {
			t.Logf("read from the replica after %s and %d failures, of which nodes wait for 1 s before they take one for dead", time.Since(began), failures)
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatal(answers[dead].Err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// move gives the slot of a queue to another master, key by key, as redis-cli does.
func move(t *testing.T, slot int, from, to *redisserver.Server, others ...*redisserver.Server) {
	t.Helper()
	id := func(s *redisserver.Server) string {
		id, err := plainClient(t, s.Addr())("CLUSTER", "MYID").ToString()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	source, target, text := plainClient(t, from.Addr()), plainClient(t, to.Addr()), strconv.Itoa(slot)
	target("CLUSTER", "SETSLOT", text, "IMPORTING", id(from))
	source("CLUSTER", "SETSLOT", text, "MIGRATING", id(to))
	for {
		keys, err := source("CLUSTER", "GETKEYSINSLOT", text, "1").AsStrSlice()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		source("MIGRATE", "127.0.0.1", strconv.Itoa(to.Port()), keys[0], "0", "5000")
	}
	for _, s := range append([]*redisserver.Server{to, from}, others...) {
		plainClient(t, s.Addr())("CLUSTER", "SETSLOT", text, "NODE", id(to))
	}
}

// A slot that is moved while it is read is read right, or not at all, and is found where it is then.
func TestASlotThatIsMoved(t *testing.T) {
	c := redisservertest.StartCluster(t, 2, false, neverDead)
	queue := queueOf(c)[0]
	do := plainClient(t, c.Masters[0].Addr())
	do("RPUSH", queue, "1", "2")
	do("RPUSH", redislist.Processing(queue, "p"), "3")
	d := open(t, inCluster(c.Masters[0]), newBell().ring)
	queries := []broker.Query{{Queue: queue, Workers: workers("p", "idle")}, {Queue: queue}}
	check := func() (read bool) {
		t.Helper()
		read = true
		for i, a := range depths(t, d, queries...) {
			switch {
			case a.Err != nil:
				read = false
				if got := broker.ReasonOf(a.Err); got != broker.ReasonSlotMoving {
					t.Errorf("%v is %s, want SlotMoving", a.Err, got)
				}
			case a.Depth.Waiting.N != 2 || (i == 0 && a.Depth.InFlight.N != 1):
				t.Errorf("query %d: %+v, want 2 waiting and 1 in flight", i, a.Depth)
			}
		}
		return read
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				check()
			}
		}
	})
	for i := range 10 {
		move(t, redislist.Slot(queue), c.Masters[i%2], c.Masters[(i+1)%2])
	}
	close(stop)
	reader.Wait()
	if !check() {
		t.Error("the queue is not read where it is now")
	}
	move(t, redislist.Slot(queue), c.Masters[0], c.Masters[1])
	if !check() { // the first read after the move, with what was known before
		t.Error("the queue is not read at once where it is now")
	}
}

// A queue without keys in a slot that is being moved is at neither node for sure: it is no empty queue.
func TestAnEmptyQueueInASlotThatIsBeingMoved(t *testing.T) {
	c := redisservertest.StartCluster(t, 2, false, neverDead)
	queues := queueOf(c)
	d := open(t, inCluster(c.Masters[0]), newBell().ring)
	queries := []broker.Query{{Queue: queues[0]}, {Queue: queues[1]}, {Queue: queues[0], Workers: workers("p")}}
	depths(t, d, queries...)
	id, err := plainClient(t, c.Masters[1].Addr())("CLUSTER", "MYID").ToString()
	if err != nil {
		t.Fatal(err)
	}
	plainClient(t, c.Masters[0].Addr())("CLUSTER", "SETSLOT", strconv.Itoa(redislist.Slot(queues[0])), "MIGRATING", id)
	for i, a := range depths(t, d, queries...) {
		if moving := broker.ReasonOf(a.Err) == broker.ReasonSlotMoving; moving != (i != 1) {
			t.Errorf("query %d: %+v", i, a)
		}
	}
}

// What a hostile node names is bounded: a connection is made for a queue that is read, and to no other node.
func TestAClusterOfInventedNodes(t *testing.T) {
	var text strings.Builder
	for i := range mostMasters {
		fmt.Fprintf(&text, "%040d 127.0.0.1:1@2 master - 0 0 1 connected %d\n", i, i)
	}
	text.WriteString(strings.Repeat("f", 40) + " 127.0.0.1:1@2 myself,master - 0 0 1 connected 1000-16383\n")
	many := text.String()
	text.Reset()
	lines := strings.SplitAfter(many, "\n")
	few := strings.Join(lines[1:], "")
	address := fakeServer(t, func(c []string) string {
		switch c[0] {
		case "CLUSTER":
			return fmt.Sprintf("$%d\r\n%s", len(few), few)
		case "HELLO":
			return "%1\r\n+proto\r\n:3"
		case "LLEN", "ZCOUNT":
			return ":1"
		}
		return "+OK"
	})
	d, err := Open(t.Context(), Config{Address: address, Cluster: true}, newBell().ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	depths(t, d, broker.Query{Queue: "q"}) // slot 11958
	if n := len(d.(*cluster).nodes); n != 1 {
		t.Errorf("%d nodes were dialled, want 1", n)
	}
}
