package recovery

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

// observe takes in what a reconciler sees of a fleet.
func (c *core) observe(name Fleet, o Observation) Snapshot {
	f := c.fleets[name]
	if f == nil {
		f = newFleet(name, c.names.Family(name))
		c.fleets[name] = f
	}
	if c.unservedFrom.IsZero() {
		c.unservedFrom = o.Now.Add(settling)
	}
	f.mode, f.deleting = o.Mode, o.Deleting
	c.use(f, o.Places, o.Now)
	s := Snapshot{Vanished: f.track(o, c.names)}
	if f.mode == Declined {
		f.decline(o.Now)
		c.census.decline(f)
	}
	places := map[string]Place{} // of each revision, asked for once: the answer is not cheap, and all fleets wait for it
	for _, r := range f.records {
		place, known := places[r.revision]
		if !known {
			place = o.At(r.revision)
			places[r.revision] = place
		}
		if place == (Place{}) {
			place = r.placeAmong(o.Places)
		}
		r.place = place
		c.queue(r, o.Now)
	}
	s.Searches, s.RecheckAt = c.seek(f, o)
	s.Dead = f.dead(c.paces.failuresOf)
	s.UnknownHolders = c.census.of(f)
	f.looked(o.Now)
	s.RecheckAt = earlier(s.RecheckAt, f.recheckAt(o.Now, func(r *record) bool { return !c.reading.succeeds(r.place) }))
	s.Returned, f.returned = f.returned, 0
	s.Failure = f.takeFailure(o.Now)
	delete(c.woken, name)
	return s
}

// use notes where a fleet works, and forgets brokers at which no fleet does any more.
func (c *core) use(f *fleet, places []Place, now time.Time) {
	before := f.places
	f.places = slices.Clone(places)
	for _, p := range f.places {
		c.paces.of(p.Broker).users++
		c.census.serve(f, p.Queue, 1)
	}
	for _, p := range f.places {
		c.follow(c.paces[p.Broker])
	}
	for _, p := range f.places {
		if !slices.ContainsFunc(before, func(o Place) bool { return o.site() == p.site() }) {
			c.serveMore(p.Queue)
			for _, other := range c.census.know(f.family, p.Queue, now) {
				c.woken[other.name] = struct{}{}
			}
		}
	}
	for _, p := range before {
		c.census.serve(f, p.Queue, -1)
		c.leave(p, f)
	}
}

func (c *core) leave(place Place, f *fleet) {
	p := c.paces[place.Broker]
	if !slices.ContainsFunc(f.places, func(o Place) bool { return o.site() == place.site() }) {
		if p.search != nil {
			delete(p.search.asks, ask{f, place.site()})
		}
		c.census.leave(ask{f, place.site()})
	}
	if p.users--; p.users == 0 {
		p.drain()
		if p.search != nil {
			c.unfollow(p.search)
		}
		delete(c.paces, p.id)
		delete(c.busy, p.id)
		c.unserved[p.id] = backlog.Unserved{Known: true} // nobody looks any more
	}
}

// note adds workers whose pods have come to be since the last observation.
func (c *core) note(name Fleet, workers []Worker) {
	if f := c.fleets[name]; f != nil {
		for _, w := range workers {
			f.seen[w.Name] = w
		}
	}
}

// forget drops a fleet.
func (c *core) forget(name Fleet) {
	f := c.fleets[name]
	if f == nil {
		return
	}
	for _, r := range f.records {
		r.state = dropped
	}
	delete(c.fleets, name)
	delete(c.woken, name)
	c.use(f, nil, time.Time{})
}
