package redisservertest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quickube/qscaler/local/freeport"
	"github.com/quickube/qscaler/local/redisserver"
)

// Cluster is a Redis Cluster.
type Cluster struct {
	// Masters have about as many slots each. Replicas has one of each, in their order, or none.
	Masters, Replicas []*redisserver.Server
}

const slots = 16384

// StartCluster starts so many masters, with one replica each where that is asked for. A node is taken for dead that has not
// answered for so long.
func StartCluster(t testing.TB, masters int, replicas bool, deadAfter time.Duration, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	args = append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", strconv.FormatInt(deadAfter.Milliseconds(), 10),
		"--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0",
	}, args...)
	bus := map[*redisserver.Server]string{} // the ports over which nodes speak with each other
	start := func() *redisserver.Server {
		port, err := freeport.Find()
		if err != nil {
			t.Fatal(err)
		}
		s := Start(t, append(args[:len(args):len(args)], "--cluster-port", strconv.Itoa(port))...)
		bus[s] = strconv.Itoa(port)
		return s
	}
	for range masters {
		c.Masters = append(c.Masters, start())
		if replicas {
			c.Replicas = append(c.Replicas, start())
		}
	}
	for i, s := range c.Masters {
		first, last := c.Slots(i)
		c.must(t, s, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		c.must(t, s, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, s := range append(c.Masters[1:len(c.Masters):len(c.Masters)], c.Replicas...) {
		c.must(t, c.Masters[0], "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(s.Port()), bus[s])
	}
	all := append(append([]*redisserver.Server{}, c.Masters...), c.Replicas...)
	for _, s := range all {
		Eventually(t, "each node knows the others", func() bool {
			return strings.Contains(c.ask(t, s, "CLUSTER", "INFO"), fmt.Sprintf("cluster_known_nodes:%d", len(all))) && !strings.Contains(c.ask(t, s, "CLUSTER", "NODES"), "handshake")
		})
	}
	for i, s := range c.Replicas {
		c.must(t, s, "CLUSTER", "REPLICATE", c.ask(t, c.Masters[i], "CLUSTER", "MYID"))
	}
	for _, s := range all {
		Eventually(t, "the cluster is up", func() bool {
			info := c.ask(t, s, "CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", slots))
		})
	}
	for _, s := range c.Replicas {
		Eventually(t, "a replica has the master's data", func() bool {
			return strings.Contains(c.ask(t, s, "INFO", "replication"), "master_link_status:up")
		})
	}
	return c
}

// Slots are the first and the last slot of a master.
func (c *Cluster) Slots(master int) (first, last int) {
	n := len(c.Masters)
	return slots * master / n, slots*(master+1)/n - 1
}

// Owner is the master that has a slot at first.
func (c *Cluster) Owner(slot int) *redisserver.Server {
	for i, s := range c.Masters {
		if first, last := c.Slots(i); first <= slot && slot <= last {
			return s
		}
	}
	return nil
}

// ask is the answer of a node as text, "" where there is none.
func (c *Cluster) ask(t testing.TB, s *redisserver.Server, command ...string) string {
	t.Helper()
	answer, err := Ask(t, s.Addr(), "", command...)
	if err != nil {
		return ""
	}
	text, err := answer.ToString()
	if err != nil {
		return ""
	}
	return text
}

func (c *Cluster) must(t testing.TB, s *redisserver.Server, command ...string) {
	t.Helper()
	if _, err := Ask(t, s.Addr(), "", command...); err != nil {
		t.Fatalf("%v: %v", command, err)
	}
}
