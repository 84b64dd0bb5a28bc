package recovery

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

// searches are those of all servers, by what is searched.
type searches map[string]*search

// readings tells the newest reading of a watched queue.
type readings func(key backlog.Key) backlog.Reading

// succeeds reports whether the queue of a place can be read.
func (read readings) succeeds(place Place) bool {
	reading := read(place.Key)
	return reading.Known && reading.Err == nil
}

// succeedsAt reports whether the broker of a fleet's place can be read. A place that was searched before needs not be
// watched any more, where another of the fleet's at the same broker is.
func (read readings) succeedsAt(f *fleet, place Place) bool {
	if _, again := f.searched[place.site()]; !again || read.succeeds(place) {
		return read.succeeds(place)
	}
	return slices.ContainsFunc(f.places, func(p Place) bool { return p.Broker == place.Broker && read.succeeds(p) })
}

// follow has a broker share the search of those that see the same keys. Which these are may change, as by another user.
func (c *core) follow(p *pace) {
	keys := c.server(p.id).Keys
	if keys == "" || (p.search != nil && p.search.keys == keys) {
		return
	}
	s := c.searches[keys]
	if s == nil {
		s = &search{keys: keys}
		c.searches[keys] = s
	}
	s.users++
	before := p.search
	p.search = s
	if before != nil {
		before.move(p.id, s)
		c.unfollow(before)
	}
	if s.unserved.Known {
		c.unserved[p.id] = s.unserved
		c.recountUnserved(s) // the queues of this broker are served there now
	}
	if len(s.asks) > 0 {
		c.asked[s] = struct{}{}
	}
}

func (c *core) unfollow(s *search) {
	if s.users--; s.users == 0 {
		delete(c.searches, s.keys)
		delete(c.asked, s)
	}
}

// walks begins those walks whose time has come.
func (c *core) walks(now time.Time) (todo []work) {
	for _, s := range slices.SortedFunc(maps.Keys(c.asked), func(a, b *search) int { return strings.Compare(a.keys, b.keys) }) {
		at := s.recheckAt(now)
		if at.IsZero() || at.After(now) {
			continue
		}
		if !c.isAskedFor(s) {
			delete(c.asked, s)
			continue
		}
		s.begin(now)
		todo = append(todo, work{pace: c.paces[s.through()], search: s, began: now})
	}
	return todo
}

// isAskedFor reports whether a fleet that asks for a walk can read a queue there. The others ask again once they can.
func (c *core) isAskedFor(s *search) bool {
	maps.DeleteFunc(s.asks, func(a ask, q *question) bool { return !c.reading.succeedsAt(a.fleet, q.place) })
	return len(s.asks) > 0
}

// seek has the places searched that have yet to be, and those again whose answer is old. It returns how the first stands.
func (c *core) seek(f *fleet, o Observation) (searches []Search, wake time.Time) {
	if o.Mode != Active {
		c.drop(f)
	}
	if o.Mode == Declined || o.Mode == Abandoned {
		return nil, time.Time{}
	}
	for i, place := range o.Places {
		s := Search{Place: place, Former: i > 0}
		answered, again := f.searched[place.site()]
		if again && !f.hasMore(place.site()) {
			if o.Mode == Active {
				c.seekAgain(f, place, answered, o.Now)
			}
			continue
		}
		since := f.searchFrom
		if again {
			since = answered
		}
		if o.Mode == Active {
			reading := c.reading(place.Key)
			if s.Former && reading.Err != nil {
				givenUp := reading.ErrSince.Add(formerPatience)
				if !o.Now.Before(givenUp) {
					continue
				}
				wake = earlier(wake, givenUp)
			}
			if s.Err = reading.Err; reading.Known && reading.Err == nil && (!again || f.hasRoom()) {
				done, err := c.ask(f, place, since, o.Now, o.Now)
				if done && !f.hasMore(place.site()) {
					continue
				}
				s.Err, s.Failed = err, err != nil
			}
		}
		searches = append(searches, s)
	}
	return searches, wake
}

// seekAgain has a place searched again where the keys of its server may have become others since, or the answer is old.
func (c *core) seekAgain(f *fleet, place Place, answered, now time.Time) {
	changed, since, due := c.server(place.Broker).Changed, answered, now
	switch {
	case !changed.Before(answered):
		since, due = changed, now.Add(settling)
	case now.Before(answered.Add(searchEvery)):
		return
	}
	if c.reading.succeedsAt(f, place) { // else it wakes when it can be read again
		_, _ = c.ask(f, place, since, due, now) // what is in the way of it is told where a first search waits
	}
}

// renew has those places searched again whose answer has become old.
func (c *core) renew(now time.Time) {
	if c.renewAt.IsZero() || now.Before(c.renewAt) {
		return
	}
	c.renewAt = time.Time{}
	for _, f := range c.fleets {
		if f.mode != Active {
			continue
		}
		for _, place := range f.places {
			answered, ok := f.searched[place.site()]
			if !ok {
				continue
			}
			c.seekAgain(f, place, answered, now)
			if old := f.searched[place.site()].Add(searchEvery); old.After(now) {
				c.renewAt = earlier(c.renewAt, old)
			}
		}
	}
}

// ask has a place searched, and reports whether it has been, and else what is in the way.
func (c *core) ask(f *fleet, place Place, since, due, now time.Time) (done bool, err error) {
	s := c.paces[place.Broker].search
	if s == nil {
		return false, c.server(place.Broker).Obstacle
	}
	if !s.answers(since) {
		s.ask(f, place, since, due)
		c.asked[s] = struct{}{}
		return false, s.trouble()
	}
	c.searchedAt(f, place.site(), s.began)
	for _, r := range f.found(s.holdersOf(f, place.Queue, c.names), place, now) {
		c.queue(r, now)
	}
	c.census.note(s, f, place, now)
	return true, nil
}

func (c *core) searchedAt(f *fleet, at site, began time.Time) {
	f.searched[at] = began
	c.renewAt = earlier(c.renewAt, began.Add(searchEvery))
}

// drop ends what a fleet asks.
func (c *core) drop(f *fleet) {
	for _, place := range f.places {
		if s := c.paces[place.Broker].search; s != nil {
			s.dropAsks(f, place.Broker)
		}
	}
}

// searchEnded takes in what came of a walk.
func (c *core) searchEnded(s *search, res result, now time.Time) {
	err := res.err
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil // this broker keeps no tasks by worker
	}
	for _, f := range s.ended(res.holders, err, now) {
		c.woken[f.name] = struct{}{}
	}
	if res.err == nil {
		c.noteUnserved(s)
	}
	for a, q := range s.answered() {
		f := a.fleet
		_, again := f.searched[a.site]
		awaited := !again || f.hasMore(a.site)
		c.searchedAt(f, a.site, s.began)
		added := f.found(s.holdersOf(f, a.site.queue, c.names), q.place, now)
		for _, r := range added {
			c.queue(r, now)
		}
		strange := c.census.note(s, f, q.place, now)
		if len(added) > 0 || q.told || strange || (f.deleting && awaited) {
			c.woken[f.name] = struct{}{}
		}
	}
	s.keep()
	c.searches.bound()
	if len(s.asks) == 0 {
		delete(c.asked, s)
	}
}

// bound drops answers, those with the most names first, until the others are few enough to be kept.
func (all searches) bound() {
	size := 0
	for _, s := range all {
		size += s.size
	}
	largest := slices.SortedFunc(maps.Values(all), func(a, b *search) int {
		return cmp.Or(cmp.Compare(b.size, a.size), strings.Compare(a.keys, b.keys))
	})
	for _, s := range largest {
		if size <= mostKeptOfAll {
			return
		}
		size -= s.size
		s.drop()
	}
}

// holdersOf are the holders of a queue's tasks whom a fleet owns, as the last walk has found them.
func (s *search) holdersOf(f *fleet, queue string, names Names) []string {
	return slices.DeleteFunc(slices.Clone(s.holders[queue]), func(worker string) bool { return names.FamilyOf(worker) != f.family })
}
