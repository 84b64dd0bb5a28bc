// Package redis reads queues that are kept in a Redis server. How a server is reached and how a queue is laid out in it
// are two things that combine.
//
//	config.go   the kind, and its configuration
//	reach.go    how a server is reached: the connection, and whether it pushes
//	guard.go    what stands between the client library and the network: commands.go follows what is sent, bounds.go says
//	            how much may be answered, replies.go lets through what is a reply
//	redial.go   when a connection that broke is made again
//	sentinel.go asks Sentinels which server is the master; follower.go has a connection fail once it is another
//	cluster.go  reads each queue of a Redis Cluster from the node that has it: cluster_slots.go has the slots of keys,
//	            cluster_topology.go which node has them, cluster_node.go the connections, and cluster_claim.go who may return
//	            the tasks of dead workers there
//	layout.go   how a queue is laid out in keys; list.go is a list, by the protocol of worker/redislist, sorted_set.go a
//	            sorted set, and stream.go a stream, whose Lua is in stream_lua.go
//	driver.go   a reach and a layout; depths.go reads, full.go where the memory is full; writable.go asks whether writes are taken, aside.go has what is asked
//	            beside a read
//	inspect.go  which versions and settings of the server are risks
//	claim.go    who may return the tasks of dead workers
//	reclaim.go  what dead workers hold of lists, reclaim_set.go of sorted sets, and reclaim_stream.go of streams;
//	            holders.go searches for it, searches.go bounds that, lanes.go and lane.go say whose turn it is
//	errors.go   what a server's refusals mean
package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/quickube/qscaler/internal/broker"
)

// driver reads queues of one layout over one connection.
type driver struct {
	*reach
	layout   layout
	ring     broker.Doorbell
	writable writable
	// follower knows whether the server is still the one to be read; it is nil where the server was named by nobody.
	follower *follower
}

// Open connects to a server. Where the server does not push, Pushes says so, and the queues are
// to be polled.
func Open(ctx context.Context, c Config, ring broker.Doorbell) (broker.Driver, error) {
	return openShared(ctx, c, ring, newSearches())
}

// openShared is Open with what all drivers of the kind share.
func openShared(ctx context.Context, c Config, ring broker.Doorbell, shared *searches) (broker.Driver, error) {
	switch {
	case c.Cluster:
		return openCluster(ctx, c, ring, shared)
	case c.Sentinel.Master != "":
		return openMaster(ctx, c, newSentinels(c), ring, shared)
	}
	return openServer(c, nil, ring, shared)
}

// openServer opens the server at the address of a configuration.
func openServer(c Config, f *follower, ring broker.Doorbell, shared *searches) (broker.Driver, error) {
	var l layout = list{}
	switch c.Layout {
	case Streams:
		l = stream{}
	case SortedSets:
		l = sortedSet{c.Due}
	}
	d, err := openAs(c, l, f, ring)
	if err != nil {
		return nil, err
	}
	holds := holdings{d, shared}
	switch c.Layout {
	case Streams:
		return streams{holds}, nil
	case SortedSets:
		return sortedSets{holds}, nil
	}
	return lists{holds}, nil
}

func openAs(c Config, l layout, f *follower, ring broker.Doorbell) (*driver, error) {
	d := &driver{layout: l, follower: f, ring: ring}
	r, err := dial(c, d.invalidated)
	if err != nil {
		return nil, err
	}
	d.reach = r
	return d, nil
}

// invalidated is the server's push: these keys are not any more as they were read. Without keys, all of
// them, as when the connection broke.
func (d *driver) invalidated(keys []rueidis.RedisMessage) {
	if len(keys) == 0 {
		d.ring()
		return
	}
	queues := make([]string, 0, len(keys))
	for _, message := range keys {
		key, err := message.ToString()
		if err != nil {
			d.ring()
			return
		}
		queues = append(queues, d.layout.queues(key)...)
	}
	d.ring(queues...)
}

// Pushes is broker.Pusher's.
func (d *driver) Pushes() (ok bool, why string) { return d.silent == "", d.silent }

// Close is broker.Driver's.
func (d *driver) Close() {
	d.follower.end()
	d.client.Close()
}
