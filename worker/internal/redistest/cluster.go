package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Cluster is a Redis Cluster.
type Cluster struct {
	t testing.TB
	// Nodes are its servers: the masters first, each with as many slots, then a replica of the first master.
	Nodes []*Server
}

// slotCount is how many slots there are.
const slotCount = 16384

// StartCluster starts three masters, and a replica of the one that has the slot. They take a node for dead after a second.
func StartCluster(t testing.TB, slot int) *Cluster {
	t.Helper()
	const masters = 3
	c := &Cluster{t: t}
	for range masters + 1 {
		c.Nodes = append(c.Nodes, Start(t, "--cluster-enabled", "yes", "--cluster-port", FreePort(t), "--cluster-node-timeout", "1000",
			"--cluster-announce-ip", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--cluster-allow-replica-migration", "no"))
	}
	const each = slotCount / masters
	for i, node := range c.Nodes {
		node.must("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i < masters {
			first, last := i*each, (i+1)*each-1
			if i == masters-1 {
				last = slotCount - 1
			}
			node.must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		}
		if i > 0 {
			node.must("CLUSTER", "MEET", "127.0.0.1", c.Nodes[0].Port(), c.Nodes[0].busPort())
		}
	}
	c.awaitKnown(len(c.Nodes))
	c.Nodes[masters].must("CLUSTER", "REPLICATE", c.id(c.Nodes[min(slot/each, masters-1)]))
	c.AwaitReplica(c.Nodes[masters])
	c.AwaitOK()
	return c
}

// busPort is the port on which the node talks to the others.
func (s *Server) busPort() string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

// awaitKnown waits until each node knows so many.
func (c *Cluster) awaitKnown(nodes int) {
	c.t.Helper()
	for _, node := range c.Nodes {
		await(c.t, "the nodes to know each other", func() string {
			return lacks(node.text("CLUSTER", "INFO"), fmt.Sprintf("cluster_known_nodes:%d\r", nodes))
		})
	}
}

// AwaitOK waits until each node that runs takes the cluster for whole, and all have the same owners of slots.
func (c *Cluster) AwaitOK() {
	c.t.Helper()
	await(c.t, "the cluster to be whole", func() string {
		var owners string
		for _, node := range c.Nodes {
			if node.cmd == nil {
				continue
			}
			if complaint := lacks(node.text("CLUSTER", "INFO"), "cluster_state:ok"); complaint != "" {
				return complaint
			}
			own := ownersOf(node)
			if owners == "" {
				owners = own
			}
			if owners != own {
				return "the nodes differ: " + owners + " and " + own
			}
		}
		return ""
	})
}

// ownersOf are the owners of the slots, as a node knows them.
func ownersOf(node *Server) string {
	slots, err := node.Do("CLUSTER", "SLOTS").ToArray()
	if err != nil {
		return err.Error()
	}
	owners := map[string]string{}
	for _, s := range slots {
		parts, _ := s.ToArray()
		start, _ := parts[0].ToInt64()
		end, _ := parts[1].ToInt64()
		master, _ := parts[2].ToArray()
		port, _ := master[1].ToInt64()
		for slot := start; slot <= end; slot++ { // ranges are cut differently
			owners[strconv.FormatInt(port, 10)] += fmt.Sprint(slot, " ")
		}
	}
	return fmt.Sprint(owners)
}

// Owner is the node that has a slot.
func (c *Cluster) Owner(slot int) *Server {
	c.t.Helper()
	for _, node := range c.Nodes {
		if node.cmd == nil {
			continue
		}
		slots, err := node.Do("CLUSTER", "SLOTS").ToArray()
		if err != nil {
			continue
		}
		for _, s := range slots {
			parts, _ := s.ToArray()
			start, _ := parts[0].ToInt64()
			end, _ := parts[1].ToInt64()
			master, _ := parts[2].ToArray()
			port, _ := master[1].ToInt64()
			if start <= int64(slot) && int64(slot) <= end {
				return c.at(strconv.FormatInt(port, 10))
			}
		}
	}
	c.t.Fatalf("nobody has slot %d", slot)
	return nil
}

func (c *Cluster) at(port string) *Server {
	for _, node := range c.Nodes {
		if node.port == port {
			return node
		}
	}
	return nil
}

// AwaitReplica waits until a node follows its master.
func (c *Cluster) AwaitReplica(node *Server) {
	c.t.Helper()
	await(c.t, "the replica to follow", func() string { return lacks(node.text("INFO", "replication"), "master_link_status:up") })
}

// id is the name of a node.
func (c *Cluster) id(node *Server) string {
	c.t.Helper()
	return strings.TrimSpace(node.text("CLUSTER", "MYID"))
}
