package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/worker/redislist"
)

// A script of a cluster sees the keys of one slot. So the script that returns the tasks of a queue cannot look at the claim
// that is one for all queues. Beside that one, each queue of a cluster has a claim in its own slot, and that is what the
// script looks at.
//
// The claim of a queue is taken and renewed by the operator that has the one for all, right after it was renewed, and by
// nobody else. It expires as that does. Where another has it still, that operator has lost the one for all a moment ago:
// nothing is returned until it has expired, of any queue.
//
// Queues with the same hash tag have the same claim.

// tags are the hash tags of the queues that are read, and when each was last.
type tags map[string]time.Time

// tagKept is for how long a tag is kept that is not read: longer than the pause between two reads.
const tagKept = time.Minute

// note takes in that a queue is read.
func (d *cluster) note(queue string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tags[tagOf(queue)] = time.Now()
}

// withTag is the claim of the queues with a hash tag.
func withTag(c broker.Claim, tag string) broker.Claim {
	c.Cluster += ":{" + tag + "}"
	return c
}

// Claim is broker.Reclaimer's. It keeps the claims of all queues that are read.
func (d *cluster) Claim(ctx context.Context, c broker.Claim, take bool) (has broker.Claimant, err error) {
	if err := d.failed(); err != nil {
		return has, err
	}
	err = d.on(ctx, redislist.Operator(c.Cluster), func(s server) (err error) {
		has, err = s.Claim(ctx, c, take)
		return err
	})
	if err != nil || has.Process != c.Process {
		return has, err
	}
	if other := d.claimQueues(ctx, c); other.Process != "" {
		return other, nil
	}
	return has, nil
}

// claimQueues takes and renews the claims of the queues, and returns another who has one of them, if any. A master that does
// not answer has no task returned, and the others do not wait for it.
func (d *cluster) claimQueues(ctx context.Context, c broker.Claim) (other broker.Claimant) {
	parts := map[member][]broker.Claim{}
	d.mu.Lock()
	maps.DeleteFunc(d.tags, func(_ string, read time.Time) bool { return time.Since(read) > tagKept })
	for _, tag := range slices.Sorted(maps.Keys(d.tags)) {
		if m, ok := d.topology.of(redislist.Slot(tag)); ok {
			parts[m] = append(parts[m], withTag(c, tag))
		}
	}
	d.mu.Unlock()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	for m, claims := range parts {
		group.Go(func() {
			n, err := d.reach(ctx, m)
			if err != nil {
				return
			}
			for _, has := range n.server.claims(ctx, claims) {
				if has.Process != "" && has.Process != c.Process {
					mu.Lock()
					other = has
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return other
}

// Reclaim is broker.Reclaimer's.
func (d *cluster) Reclaim(ctx context.Context, c broker.Claim, name, worker string) (moved int64, err error) {
	queue, _ := broker.SplitName(name)
	d.note(queue)
	err = d.on(ctx, queue, func(s server) error {
		n, err := s.Reclaim(ctx, withTag(c, tagOf(queue)), name, worker)
		moved += n
		return err
	})
	return moved, err
}

// Held is broker.Reclaimer's.
func (d *cluster) Held(ctx context.Context, name string, workers []string) (held []int64, err error) {
	queue, _ := broker.SplitName(name)
	err = d.on(ctx, queue, func(s server) (err error) {
		held, err = s.Held(ctx, name, workers)
		return err
	})
	return held, err
}

// Holders searches one master after the other. A master of which no queue is read is connected for that alone.
func (d *cluster) Holders(ctx context.Context) (holders []broker.Holder, err error) {
	found := &search{of: d.shared}
	defer found.end()
	d.mu.Lock()
	began := d.topology
	d.mu.Unlock()
	for _, m := range began.masters {
		of, err := d.holdersOf(ctx, m)
		if err != nil {
			return nil, err
		}
		for _, h := range of {
			if err := found.take(h.Queues[0] + h.Worker); err != nil {
				return nil, err
			}
		}
		holders = append(holders, of...)
	}
	return holders, d.sameSlots(ctx, began)
}

// sameSlots is an error where slots have moved since: a search that looks at one master after the other may have missed what
// moved from one that it had still to look at to one that it had.
func (d *cluster) sameSlots(ctx context.Context, began *topology) error {
	if live := d.live(); len(live) > 0 {
		d.refresh(ctx, live[0])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for slot := range slots {
		before, _ := began.of(slot)
		if now, _ := d.topology.of(slot); now != before {
			return fmt.Errorf("slots of the cluster at %s have moved during the search, which is tried again", d.config.Address)
		}
	}
	return nil
}

func (d *cluster) holdersOf(ctx context.Context, m member) ([]broker.Holder, error) {
	d.mu.Lock()
	n, failure := d.nodes[m], d.failure
	d.mu.Unlock()
	switch {
	case failure != nil:
		return nil, failure
	case n != nil:
		n, err := d.reach(ctx, m)
		if err != nil {
			return nil, err
		}
		return n.server.Holders(ctx)
	}
	s, err := d.connect(m)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Holders(ctx)
}
