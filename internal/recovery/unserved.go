package recovery

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// noteUnserved counts the lists that a walk has found and that no fleet's status shows: those of queues that no fleet
// serves. The brokers that share the search are told.
func (c *core) noteUnserved(s *search) {
	c.countUnserved(s)
	c.tellUnserved(s)
}

func (c *core) tellUnserved(s *search) {
	for id, p := range c.paces {
		if p.search == s {
			c.unserved[id] = s.unserved
		}
	}
}

func (c *core) countUnserved(s *search) {
	served := map[string]struct{}{}
	for _, f := range c.fleets {
		for _, p := range f.places {
			if c.paces[p.Broker].search == s {
				served[p.Queue] = struct{}{}
			}
		}
	}
	lists := slices.DeleteFunc(s.unservedLists, func(h broker.Holder) bool {
		return slices.ContainsFunc(h.Queues, func(queue string) bool {
			_, here := served[queue]
			return here || c.census.isOfAFleet(h.Worker, queue) || c.isForeign(h.Worker, queue)
		})
	})
	s.unservedLists = slices.Clone(lists) // what is left out takes no room
	queues := map[string]struct{}{}
	for _, h := range lists {
		queues[h.Queues[0]] = struct{}{}
	}
	s.unserved = backlog.Unserved{Known: true, Lists: len(lists), Queues: len(queues)}
}

// isForeign reports whether a consumer is of another application's group: no operator makes such names. A list with tasks has
// the form of QScaler's own keys, and a consumer group has not.
func (c *core) isForeign(worker, queue string) bool {
	_, group := broker.SplitName(queue)
	return group != "" && c.names.FamilyOf(worker) == ""
}

// serveMore is called when a fleet comes to serve a queue. Fleets are observed one after another, after a start above all,
// and the walk may have ended before. Lists whose queue is not served any more are no matter before the next walk: they may
// be gone.
func (c *core) serveMore(queue string) {
	for _, s := range c.searches {
		if len(s.holders[queue]) > 0 {
			c.recountUnserved(s)
		}
	}
}

// recountUnserved counts anew, of the lists that nobody served, those that nobody serves now. Where their names are not kept
// the fleet has another walk, and that counts them.
func (c *core) recountUnserved(s *search) {
	before := s.unserved
	if !s.known || before.Lists == 0 {
		return
	}
	if c.countUnserved(s); s.unserved != before {
		c.tellUnserved(s)
	}
}

// isOfAFleet reports whether a worker is of a fleet that serves the queue, at whatever broker: two names of one server are
// two servers here.
func (c *census) isOfAFleet(worker, queue string) bool {
	family := c.names.FamilyOf(worker)
	return family != "" && c.served[queue][family] > 0
}

// takeUnserved returns what brokers are to be told of the queues that nobody serves, by their IDs. After a start they are
// told once the fleets have been observed.
func (c *core) takeUnserved(now time.Time) map[string]backlog.Unserved {
	told := map[string]backlog.Unserved{}
	if now.Before(c.unservedFrom) {
		return told
	}
	for id, unserved := range c.unserved {
		if !c.recounts(id) {
			told[id] = unserved
			delete(c.unserved, id)
		}
	}
	return told
}

// recounts reports whether another walk is to count anew what a broker would be told: the last did not know of a fleet.
func (c *core) recounts(id string) bool {
	p := c.paces[id]
	return p != nil && p.search != nil && !p.search.known && len(p.search.asks) > 0 && p.search.failures == 0
}

// tellUnservedAt is when brokers are to be told of such queues, zero for never. Whom another walk has wait is told when that
// ends.
func (c *core) tellUnservedAt() time.Time {
	for id := range c.unserved {
		if !c.recounts(id) {
			return c.unservedFrom
		}
	}
	return time.Time{}
}
