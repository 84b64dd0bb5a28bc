package recovery

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

// core is all that is known of dead workers, and what is to be done for them. It has no lock, no goroutine and no clock.
type core struct {
	// reading is the newest of a watched queue.
	reading readings
	// server says what is seen of a broker's server.
	server func(broker string) backlog.Server
	// names tells by its name whose a worker is.
	names  Names
	fleets map[Fleet]*fleet
	paces  paces
	// busy has the IDs of the brokers that have something to do, now or later.
	busy map[string]struct{}
	// searches are by what is searched, and asked are those for which somebody waits.
	searches searches
	asked    map[*search]struct{}
	// renewAt is when the first answer of a search becomes old, zero for never.
	renewAt time.Time
	// census counts what unknown holders have.
	census *census
	// unserved has what brokers are to be told of the queues that nobody serves, and unservedFrom is when they are.
	unserved     map[string]backlog.Unserved
	unservedFrom time.Time
	// woken has the fleets for which something has changed that matters to their reconciler, and tellAt is when the first of
	// those is told that was told something a moment ago, zero for never.
	woken  map[Fleet]struct{}
	tellAt time.Time
}

func newCore(reading readings, server func(broker string) backlog.Server, names Names) *core {
	return &core{
		reading: reading, server: server, names: names, census: newCensus(names), unserved: map[string]backlog.Unserved{},
		searches: searches{}, asked: map[*search]struct{}{},
		fleets: map[Fleet]*fleet{}, paces: paces{}, busy: map[string]struct{}{}, woken: map[Fleet]struct{}{},
	}
}

// work is one thing to do: to return the tasks of a worker, to search a server for holders, or to count what unknown
// workers hold.
type work struct {
	pace  *pace
	began time.Time
	// search is the one of a search, and count has whose tasks are to be counted; both are nil else.
	search *search
	count  *unknownHolders
	// record is that of a return. Confirm is true where the API server is to be asked first whether the pod is gone.
	record  *record
	fleet   Fleet
	worker  string
	key     backlog.Key
	confirm bool
}

// Presence is what the API server says of a pod that the cache does not show.
type Presence int

// What it may say.
const (
	// Absent: there is no pod of this name.
	Absent Presence = iota
	// Present: the pod is still there.
	Present
	// Foreign: a pod is there that is not the fleet's any more, as after a deletion that orphans it.
	Foreign
)

// result is what came of a work.
type result struct {
	// unclaimed is why no task may be returned at this broker. Nobody was asked anything then.
	unclaimed error
	// unasked is why the API server did not say whether the pod is gone. The broker was not asked then.
	unasked  error
	presence Presence
	moved    int64
	holders  []broker.Holder
	counts   []int64
	// err is why the broker did not do it, or not wholly.
	err error
}

// next is what is to be done now. Who asks has it done, and tells what came of it.
func (c *core) next(now time.Time) (todo []work) {
	c.renew(now)
	todo = c.walks(now)
	for _, s := range c.census.due(now) {
		todo = append(todo, work{pace: c.paces[s.place.Broker], count: s, began: now, key: s.key()})
	}
	for _, id := range slices.Sorted(maps.Keys(c.busy)) {
		p := c.paces[id]
		for r := p.take(now); r != nil; r = p.take(now) {
			if w, ok := c.call(p, r, now); ok {
				todo = append(todo, w)
			}
		}
		if len(p.queue) == 0 {
			delete(c.busy, id)
		}
	}
	return todo
}

// call begins the return of a record's tasks, unless that has come to nothing since it was to wait.
func (c *core) call(p *pace, r *record, now time.Time) (work, bool) {
	if !c.look(r, now) || r.place.Broker != p.id {
		c.queue(r, now)
		if r.state == dropped {
			c.woken[r.fleet.name] = struct{}{}
		}
		return work{}, false
	}
	p.calls++
	r.called = true
	return work{pace: p, began: now, record: r, fleet: r.fleet.name, worker: r.worker, key: r.place.Key, confirm: r.state == Gone}, true
}

// look changes a record by the newest reading, and reports whether its tasks can be returned. Where its queue cannot be
// read, it is looked at again when that changes.
func (c *core) look(r *record, now time.Time) bool {
	failures, _ := c.paces.failuresOf(r)
	r.read(c.reading(r.place.Key), failures)
	r.age(now)
	return r.isDue() && r.fleet.mode == Active && c.reading.succeeds(r.place) && c.paces[r.place.Broker] != nil
}

// queue looks at a record and has it wait for its turn.
func (c *core) queue(r *record, now time.Time) {
	if c.look(r, now) {
		c.paces[r.place.Broker].add(r, now)
		c.busy[r.place.Broker] = struct{}{}
	}
	if r.state == dropped && r.fleet.records[r.worker] == r {
		delete(r.fleet.records, r.worker)
	}
}

// recheckAt is when there is something to do by the passing of time, zero for never.
func (c *core) recheckAt(now time.Time) (first time.Time) {
	for id := range c.busy {
		first = earlier(first, c.paces[id].recheckAt())
	}
	for s := range c.asked {
		first = earlier(first, s.recheckAt(now))
	}
	return earlier(earlier(earlier(first, c.renewAt), c.census.recountAt), c.tellAt)
}

// takeWoken returns whom something matters to, once. Who has many dead workers that searches have found is not told of
// each.
func (c *core) takeWoken(now time.Time) (fleets []Fleet) {
	c.tellAt = time.Time{}
	for name := range c.woken {
		if f := c.fleets[name]; f != nil && f.lookAgain.After(now) {
			c.tellAt = earlier(c.tellAt, f.lookAgain)
			continue
		}
		delete(c.woken, name)
		fleets = append(fleets, name)
	}
	slices.SortFunc(fleets, Fleet.compare)
	return fleets
}

// done takes in what came of a work.
func (c *core) done(w work, res result, now time.Time) {
	switch {
	case w.search != nil:
		c.searchEnded(w.search, res, now)
		return
	case w.count != nil:
		if c.census.counted(w.count, res, now) {
			c.woken[w.count.ask.fleet.name] = struct{}{}
		}
		return
	}
	r, f := w.record, w.record.fleet
	r.unasked = res.unasked != nil
	w.pace.calls--
	r.called = false
	f.returned += res.moved // also where some are left
	matters := true
	switch {
	case r.place.Broker != w.pace.id || r.place.Key != w.key: // the key may have been another queue's when it was asked for
	case isPending(res.unclaimed), isPending(res.err):
		w.pace.hold(now)
		matters = false
	case res.unclaimed != nil:
		c.fail(r, res.unclaimed, now)
	case res.unasked != nil:
		c.fail(r, res.unasked, now)
	case res.presence == Present:
		r.unconfirmed(now)
		matters = false
	case res.presence == Foreign: // somebody else looks after it now, and after what it holds
		r.state = dropped
	default:
		c.answered(w, res.err, now)
	}
	c.queue(r, now)
	if matters && c.fleets[f.name] == f {
		c.woken[f.name] = struct{}{}
	}
}

// isPending reports whether tasks may not be returned yet, and that is as usual.
func isPending(err error) bool { return errors.Is(err, backlog.ErrClaimPending) }

// answered takes in what the broker answered, or that it did not.
func (c *core) answered(w work, err error, now time.Time) {
	before := w.pace.unanswered
	w.pace.noteAnswer(w.began, now, err)
	if err != nil {
		c.fail(w.record, err, now)
	} else {
		w.record.succeeded(now)
	}
	if before < Tries && w.pace.unanswered >= Tries {
		for _, waiting := range w.pace.queue { // they fail as this one does
			c.woken[waiting.record.fleet.name] = struct{}{}
		}
	}
}

func (c *core) fail(r *record, err error, now time.Time) {
	r.failed(now, err)
	if r.state != dropped {
		r.fleet.fail(r.worker, err)
	}
}
