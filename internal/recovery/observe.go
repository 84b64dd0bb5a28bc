package recovery

import (
	"maps"
	"slices"
)

// observe takes in what a reconciler sees of a fleet.
func (c *core) observe(name Fleet, o Observation) Snapshot {
	f := c.fleets[name]
	if f == nil {
		f = newFleet(name, c.names.Family(name))
		c.fleets[name] = f
	}
	f.mode, f.deleting = o.Mode, o.Deleting
	c.use(f, o.Places)
	s := Snapshot{Vanished: f.track(o, c.names)}
	if f.mode == Declined {
		f.decline(o.Now)
		maps.DeleteFunc(c.strangers, func(a ask, _ *strangers) bool { return a.fleet == f })
	}
	places := map[string]Place{} // of each revision, asked for once: the answer is not cheap, and all fleets wait for it
	for _, r := range f.records {
		place, known := places[r.revision]
		if !known {
			place = o.At(r.revision)
			places[r.revision] = place
		}
		r.place = place
		c.queue(r, o.Now)
	}
	s.Searches, s.RecheckAt = c.seek(f, o)
	s.Dead = f.dead(c.failuresOf)
	s.Strangers = c.strangersOf(f)
	f.looked(o.Now)
	s.RecheckAt = earlier(s.RecheckAt, f.recheckAt(o.Now, c.isUnreadable))
	s.Returned, s.Failure, f.returned, f.failure = f.returned, f.failure, 0, nil
	delete(c.woken, name)
	return s
}

func (c *core) isUnreadable(r *record) bool {
	reading := c.reading(r.place.Key)
	return !reading.Known || reading.Err != nil
}

// use notes where a fleet works, and forgets brokers at which no fleet does any more.
func (c *core) use(f *fleet, places []Place) {
	before := f.places
	f.places = slices.Clone(places)
	for _, p := range f.places {
		pace := c.paceOf(p.Broker)
		pace.users++
		c.follow(pace)
		c.serve(f, p.Queue, 1)
	}
	for _, p := range before {
		c.serve(f, p.Queue, -1)
		c.leave(p, f)
	}
}

// serve counts a fleet among those that serve a queue, or not any more.
func (c *core) serve(f *fleet, queue string, by int) {
	families := c.served[queue]
	if families == nil {
		families = map[string]int{}
		c.served[queue] = families
	}
	if families[f.family] += by; families[f.family] == 0 {
		delete(families, f.family)
	}
	if len(families) == 0 {
		delete(c.served, queue)
	}
}

func (c *core) leave(place Place, f *fleet) {
	p := c.paces[place.Broker]
	if !slices.ContainsFunc(f.places, func(o Place) bool { return o.site() == place.site() }) {
		if p.search != nil {
			delete(p.search.asks, ask{f, place.site()})
		}
		delete(c.strangers, ask{f, place.site()})
	}
	if p.users--; p.users == 0 {
		p.drain()
		if p.search != nil {
			c.unfollow(p.search)
		}
		delete(c.paces, p.id)
		delete(c.busy, p.id)
	}
}

func (c *core) paceOf(id string) *pace {
	p := c.paces[id]
	if p == nil {
		p = &pace{id: id}
		c.paces[id] = p
	}
	return p
}

func (c *core) failuresOf(r *record) (int, error) { return c.paces[r.place.Broker].failuresOf(r) }

// note adds workers whose pods have come to be since the last observation.
func (c *core) note(name Fleet, workers []Worker) {
	if f := c.fleets[name]; f != nil {
		for _, w := range workers {
			f.seen[w.Name] = w.Revision
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
	c.use(f, nil)
}
