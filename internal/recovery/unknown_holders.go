package recovery

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

// census counts what unknown holders have, of all fleets. Unknown is whoever serves no queue here.
type census struct {
	// names tells by its name whose a worker is.
	names Names
	// served counts the fleets of each family that serve a queue, of whatever broker.
	served map[string]map[string]int
	// unknownHolders has where unknown holders have tasks, and recountAt is when theirs are to be counted, zero for never.
	unknownHolders map[ask]*unknownHolders
	recountAt      time.Time
}

func newCensus(names Names) *census {
	return &census{names: names, served: map[string]map[string]int{}, unknownHolders: map[ask]*unknownHolders{}}
}

// serve counts a fleet among those that serve a queue, or not any more.
func (c *census) serve(f *fleet, queue string, by int) {
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

// know is called when a fleet of a family comes to serve a queue: its workers are not unknown there any more. What the
// others have is counted anew. It returns the fleets of which no unknown worker holds tasks any more.
func (c *census) know(family, queue string, now time.Time) (rid []*fleet) {
	for a, before := range c.unknownHolders {
		if a.site.queue != queue {
			continue
		}
		unknown := slices.DeleteFunc(slices.Clone(before.workers), func(worker string) bool { return c.names.FamilyOf(worker) == family })
		known := len(before.workers) - len(unknown)
		switch {
		case known == 0:
			continue
		case len(unknown) == 0:
			delete(c.unknownHolders, a)
			rid = append(rid, a.fleet)
			continue
		}
		found := *before // another, so that a count under way is of none
		found.workers, found.lists, found.due = unknown, before.lists-known, now
		c.unknownHolders[a] = &found
		c.recountAt = earlier(c.recountAt, now)
	}
	return rid
}

// leave forgets a place of a fleet.
func (c *census) leave(a ask) { delete(c.unknownHolders, a) }

// decline forgets all places of a fleet.
func (c *census) decline(f *fleet) {
	maps.DeleteFunc(c.unknownHolders, func(a ask, _ *unknownHolders) bool { return a.fleet == f })
}

const (
	// mostUnknownHolders bounds how many lists of unknown holders are counted, and longestUnknownHolders how long their names are
	// together. Whoever may write to the broker chooses them.
	mostUnknownHolders    = 1000
	longestUnknownHolders = 64 << 10
	// recountEvery is how often what they hold is counted anew: somebody may have returned it by hand.
	recountEvery = 5 * time.Minute
)

// unknownHolders are the unknown holders of tasks at one place of a fleet.
type unknownHolders struct {
	ask     ask
	place   Place
	workers []string
	lists   int
	tasks   int64
	// counted is true once that was tried. What cannot be counted is told without a number.
	counted bool
	// due is when they are counted next. It is zero while that is under way.
	due time.Time
}

// note takes in whom the last walk has found at a place of a fleet, of whom none serves the queue here. It reports
// whether that is worth a word: how many tasks they have is told later.
func (c *census) note(s *search, f *fleet, place Place, now time.Time) bool {
	a := ask{f, place.site()}
	before := c.unknownHolders[a]
	unknown := slices.DeleteFunc(slices.Clone(s.holders[place.Queue]), func(worker string) bool {
		return c.isOfAFleet(worker, place.Queue)
	})
	if len(unknown) == 0 {
		delete(c.unknownHolders, a)
		return before != nil
	}
	slices.Sort(unknown)
	found := &unknownHolders{ask: a, place: place, lists: len(unknown), workers: named(unknown), due: now}
	if before != nil {
		found.tasks, found.counted = before.tasks, before.counted
	}
	c.unknownHolders[a] = found
	c.recountAt = earlier(c.recountAt, now)
	return false
}

// named are as many of the names as are kept.
func named(names []string) []string {
	size := 0
	for i, name := range names {
		if size += len(name); i >= mostUnknownHolders || size > longestUnknownHolders {
			return slices.Clone(names[:i])
		}
	}
	return slices.Clone(names)
}

// due are those whose time to be counted has come, in the same order in each run.
func (c *census) due(now time.Time) (due []*unknownHolders) {
	if c.recountAt.IsZero() || now.Before(c.recountAt) {
		return nil
	}
	c.recountAt = time.Time{}
	for _, s := range slices.SortedFunc(maps.Values(c.unknownHolders), compareUnknownHolders) {
		switch {
		case s.due.IsZero():
		case s.due.After(now):
			c.recountAt = earlier(c.recountAt, s.due)
		default:
			s.due = time.Time{}
			due = append(due, s)
		}
	}
	return due
}

func compareUnknownHolders(a, b *unknownHolders) int {
	if n := a.ask.fleet.name.compare(b.ask.fleet.name); n != 0 {
		return n
	}
	return strings.Compare(a.ask.site.broker+" "+a.ask.site.queue, b.ask.site.broker+" "+b.ask.site.queue)
}

// key is that of the place as the fleet has it now.
func (s *unknownHolders) key() (key backlog.Key) {
	for _, p := range s.ask.fleet.places {
		if p.site() == s.ask.site {
			key = p.Key
		}
	}
	return key
}

// counted takes in what came of a count, and reports whether it matters to the fleet. Whoever holds nothing any more is left
// out, until the next search.
func (c *census) counted(s *unknownHolders, res result, now time.Time) (matters bool) {
	if c.unknownHolders[s.ask] != s {
		return false // others were found meanwhile
	}
	s.due = now.Add(recountEvery)
	c.recountAt = earlier(c.recountAt, s.due)
	first := !s.counted
	s.counted = true
	if res.err != nil || len(res.counts) != len(s.workers) {
		return first
	}
	var holding []string
	tasks := int64(0)
	for i, n := range res.counts {
		if n > 0 {
			holding = append(holding, s.workers[i])
			tasks += n
		}
	}
	if tasks == s.tasks && len(holding) == len(s.workers) {
		return first
	}
	s.lists -= len(s.workers) - len(holding)
	s.workers, s.tasks = holding, tasks
	if len(holding) == 0 {
		delete(c.unknownHolders, s.ask)
	}
	return true
}

// of are those of all places of a fleet. Where none are ours to return, nobody looks for them.
func (c *census) of(f *fleet) (all UnknownHolders) {
	if f.mode == Declined || len(f.places) == 0 {
		return UnknownHolders{Known: f.mode == Declined}
	}
	_, all.Known = f.searched[f.places[0].site()]
	for _, p := range f.places {
		s := c.unknownHolders[ask{f, p.site()}]
		if s == nil {
			continue
		}
		if !s.counted {
			all.Known = false
			continue
		}
		all.Workers = append(all.Workers, s.workers...)
		all.Lists += s.lists
		all.Tasks += s.tasks
	}
	slices.Sort(all.Workers)
	return all
}
