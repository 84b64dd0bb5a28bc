package recovery

import (
	"slices"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// noteUnserved counts the lists that a walk has found and that no fleet's status shows: those of queues that no fleet
// serves. The brokers that share the search are told.
func (c *core) noteUnserved(s *search, holders []broker.Holder) {
	served := map[string]struct{}{}
	for _, f := range c.fleets {
		for _, p := range f.places {
			if c.paces[p.Broker].search == s {
				served[p.Queue] = struct{}{}
			}
		}
	}
	queues := map[string]struct{}{}
	s.unserved = backlog.Unserved{Known: true}
	for _, h := range holders {
		if slices.ContainsFunc(h.Queues, func(queue string) bool {
			_, here := served[queue]
			return here || c.census.isOfAFleet(h.Worker, queue)
		}) {
			continue
		}
		s.unserved.Lists++
		queues[h.Queues[0]] = struct{}{}
	}
	s.unserved.Queues = len(queues)
	for id, p := range c.paces {
		if p.search == s {
			c.unserved[id] = s.unserved
		}
	}
}

// isOfAFleet reports whether a worker is of a fleet that serves the queue, at whatever broker: two names of one server are
// two servers here.
func (c *census) isOfAFleet(worker, queue string) bool {
	family := c.names.FamilyOf(worker)
	return family != "" && c.served[queue][family] > 0
}

// takeUnserved returns what brokers are to be told of the queues that nobody serves, by their IDs.
func (c *core) takeUnserved() map[string]backlog.Unserved {
	told := c.unserved
	c.unserved = map[string]backlog.Unserved{}
	return told
}
