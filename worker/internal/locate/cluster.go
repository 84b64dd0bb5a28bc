package locate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/rueidis"
)

// Cluster asks the nodes of a Redis Cluster which of them has a slot.
type Cluster struct {
	slot   int
	option rueidis.ClientOption
	// given is the address of the user's.
	given string

	mu sync.Mutex
	// known are the addresses of the nodes, the one to ask next first.
	known []string
}

// mostNodes bounds how many nodes are remembered.
const mostNodes = 1000

// NewCluster returns a Locator of the node that has the slot. The option says how the nodes, of which one is at address, are
// connected to.
func NewCluster(slot int, address string, option rueidis.ClientOption) *Cluster {
	return &Cluster{slot: slot, option: option, given: address, known: []string{address}}
}

// Locate implements Locator. Each time another node is asked first: one that is cut off from the others does not know that its
// slots have another owner.
func (c *Cluster) Locate(ctx context.Context) (string, error) {
	c.mu.Lock()
	known := slices.Clone(c.known)
	c.mu.Unlock()
	found, err := first(ctx, known, c.askOne)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.known = turned(c.known, min(len(known), mostAsked))
		return "", fmt.Errorf("asking the Redis Cluster for the node with slot %d, %w", c.slot, err)
	}
	nodes := found.nodes
	if at := slices.Index(nodes, found.by); at >= 0 {
		nodes = turned(nodes, at+1)
	}
	c.known = distinct(mostNodes, append(nodes, c.given)...)
	return found.owner, nil
}

// Moved implements Locator: who knows where the slot is now is asked first, and who does not know it last.
func (c *Cluster) Moved(from, to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	without := slices.DeleteFunc(slices.Clone(c.known), func(address string) bool { return address == from })
	c.known = distinct(mostNodes, slices.Concat([]string{redirect(from, to)}, without, []string{from})...)
}

// turned begins after the first so many, which come last.
func turned(addresses []string, n int) []string {
	n %= max(len(addresses), 1)
	return slices.Concat(addresses[n:], addresses[:n])
}

// askOne asks one node.
func (c *Cluster) askOne(ctx context.Context, address string) (found slots, err error) {
	client, err := connect(ctx, c.option, address)
	if err != nil {
		return found, fmt.Errorf("connecting to the node %s, %w", address, err)
	}
	defer client.Close()
	answer, err := client.Do(ctx, client.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return found, fmt.Errorf("CLUSTER SLOTS to the node %s, %w", address, err)
	}
	if found, err = readSlots(answer, address, c.slot); err != nil {
		return found, fmt.Errorf("CLUSTER SLOTS to the node %s, %w", address, err)
	}
	return found, nil
}
