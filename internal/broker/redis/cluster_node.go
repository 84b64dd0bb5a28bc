package redis

import (
	"context"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// server is the driver of one server, whatever its layout.
type server interface {
	broker.Driver
	broker.Pusher
	broker.Inspector
	broker.Reclaimer
	topology(ctx context.Context) (*topology, error)
	id(ctx context.Context) (string, error)
	claims(ctx context.Context, claims []broker.Claim) []broker.Claimant
}

// node is a master of a cluster to which there is a connection, or was to be.
type node struct {
	member member
	// opened is closed once it is known whether there is one. Server and err, one of which is nil, are to be read after
	// that alone.
	opened chan struct{}
	server server
	err    error
}

// nodeAt is a node that is connected.
func nodeAt(m member, s server) *node {
	n := &node{member: m, opened: make(chan struct{}), server: s}
	close(n.opened)
	return n
}

// failedNode is one that is not.
func failedNode(m member, err error) *node {
	n := &node{member: m, opened: make(chan struct{}), err: err}
	close(n.opened)
	return n
}

// isOpen reports whether it is connected.
func (n *node) isOpen() bool {
	return n.isDone() && n.err == nil
}

func (n *node) close() {
	<-n.opened
	if n.err == nil {
		n.server.Close()
	}
}

// reach is the node of a master, which is connected first where it is not.
func (d *cluster) reach(ctx context.Context, m member) (*node, error) {
	d.mu.Lock()
	if d.failure != nil {
		defer d.mu.Unlock()
		return nil, d.failure
	}
	n := d.nodes[m]
	if n == nil {
		n = &node{member: m, opened: make(chan struct{})}
		d.nodes[m] = n
		go d.open(n)
	}
	d.mu.Unlock()
	select {
	case <-n.opened:
		return n, n.err
	case <-ctx.Done():
		return nil, classify(ctx.Err(), d.config)
	}
}

// open connects a node. Where that fails, it is tried again beside the reads.
func (d *cluster) open(n *node) {
	n.server, n.err = d.connect(n.member)
	close(n.opened)
	if n.err != nil {
		d.mend()
	}
}

// connect connects to a master, and makes sure that it is the one: its address may be another node's by now, and of
// another cluster.
func (d *cluster) connect(m member) (server, error) {
	c, err := d.config.at(m.address, "a node of the cluster at "+d.config.Address)
	if err != nil {
		return nil, err
	}
	opened, err := openServer(c, nil, d.ring, d.shared)
	if err != nil {
		return nil, err
	}
	s := opened.(server)
	ctx, cancel := context.WithTimeout(d.until, replyTimeout)
	defer cancel()
	id, err := s.id(ctx)
	if err == nil && id != m.id {
		err = broker.Fail(broker.ReasonConnectionLost, at(c), "another node is there now", nil)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// live are the nodes that are connected.
func (d *cluster) live() (live []*node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.nodes {
		if n.isOpen() {
			live = append(live, n)
		}
	}
	return live
}

// lose lets go of a node whose connection has failed. Where none is left, the driver has failed.
func (d *cluster) lose(n *node, err error) {
	d.mu.Lock()
	if d.nodes[n.member] != n {
		d.mu.Unlock()
		return
	}
	d.nodes[n.member] = failedNode(n.member, err)
	left := false
	for _, other := range d.nodes {
		left = left || other.isOpen()
	}
	if !left && d.failure == nil {
		d.failure = err
	}
	d.mu.Unlock()
	n.close()
	if left {
		d.mend()
	}
}

// mendFirst and mendLongest bound the pauses between two tries to connect the nodes that have failed.
const (
	mendFirst   = 100 * time.Millisecond
	mendLongest = 2 * time.Second
)

// mend has failed nodes connected again, until none is left that has slots.
func (d *cluster) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mending || d.failure != nil {
		return
	}
	d.mending = true
	go func() {
		for pause := mendFirst; d.pause(pause) && d.mendOnce(); {
			pause = min(2*pause, mendLongest)
		}
	}()
}

func (d *cluster) pause(wait time.Duration) (goOn bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-d.until.Done():
		return false
	case <-timer.C:
		return true
	}
}

// mendOnce asks who the masters are, and connects those that have failed. It reports whether any has failed again. Whoever
// watches is to read again where anything has changed.
func (d *cluster) mendOnce() (again bool) {
	if live := d.live(); len(live) > 0 {
		d.refresh(d.until, live[0])
	}
	changed := false
	for _, n := range d.broken() {
		s, err := d.connect(n.member)
		d.mu.Lock()
		switch {
		case d.nodes[n.member] != n: // somebody has closed the driver
			d.mu.Unlock()
			if err == nil {
				s.Close()
			}
			continue
		case err == nil:
			d.nodes[n.member], changed = nodeAt(n.member, s), true
		default:
			d.nodes[n.member] = failedNode(n.member, err)
		}
		d.mu.Unlock()
	}
	d.mu.Lock()
	for m, n := range d.nodes {
		switch {
		case n.isOpen() || !n.isDone():
		case d.topology.has(m):
			again = true
		default: // another has its slots now
			delete(d.nodes, m)
			changed = true
		}
	}
	if !again {
		d.mending = false
	}
	d.mu.Unlock()
	if changed {
		d.ring()
	}
	return again
}

// isDone reports whether it is known whether it is connected.
func (n *node) isDone() bool {
	select {
	case <-n.opened:
		return true
	default:
		return false
	}
}

// broken are the masters that have failed, and still have slots.
func (d *cluster) broken() (broken []*node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for m, n := range d.nodes {
		if n.isDone() && n.err != nil && d.topology.has(m) {
			broken = append(broken, n)
		}
	}
	return broken
}

// topology asks a server who the masters of its cluster are.
func (d *driver) topology(ctx context.Context) (*topology, error) {
	text, err := d.client.Do(ctx, d.client.B().ClusterNodes().Build()).ToString()
	if err != nil {
		return nil, classify(err, d.config)
	}
	t, err := parseTopology(text, d.config.Address, d.config.TLS != nil && d.config.ServerName == "")
	if err != nil {
		return nil, broker.Fail(broker.ReasonUnknown, at(d.config), err.Error(), err)
	}
	return t, nil
}

// id asks a server which node of its cluster it is.
func (d *driver) id(ctx context.Context) (string, error) {
	id, err := d.client.Do(ctx, d.client.B().ClusterMyid().Build()).ToString()
	return id, classify(err, d.config)
}

// says reports whether an error is a server's refusal that begins with a word.
func says(err error, word string) bool {
	text, ok := refused(err)
	return ok && strings.HasPrefix(text, word+" ")
}

// ofSlot reports whether an error concerns the slot of a key, and not the whole server.
func ofSlot(err error) bool {
	for _, word := range []string{"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "CROSSSLOT"} {
		if says(err, word) {
			return true
		}
	}
	return false
}
