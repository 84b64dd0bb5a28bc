package recovery

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
)

const (
	// mostStrangers bounds how many lists of unknown workers are counted, and longestStrangers how long their names are
	// together. Whoever may write to the broker chooses them.
	mostStrangers    = 1000
	longestStrangers = 64 << 10
	// recountEvery is how often what they hold is counted anew: somebody may have returned it by hand.
	recountEvery = 5 * time.Minute
)

// strangers are the unknown workers that hold tasks at one place of a fleet.
type strangers struct {
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

// noteStrangers takes in whom the last walk has found at a place of a fleet, of whom none serves the queue here. It reports
// whether that is worth a word: how many tasks they have is told later.
func (c *core) noteStrangers(s *search, f *fleet, place Place, now time.Time) bool {
	a := ask{f, place.site()}
	before := c.strangers[a]
	served := c.served[place.Queue]
	unknown := slices.DeleteFunc(slices.Clone(s.holders[place.Queue]), func(worker string) bool {
		family := c.names.FamilyOf(worker)
		return family != "" && served[family] > 0
	})
	if len(unknown) == 0 {
		delete(c.strangers, a)
		return before != nil
	}
	slices.Sort(unknown)
	found := &strangers{ask: a, place: place, lists: len(unknown), workers: named(unknown), due: now}
	if before != nil {
		found.tasks, found.counted = before.tasks, before.counted
	}
	c.strangers[a] = found
	c.recountAt = earlier(c.recountAt, now)
	return false
}

// named are as many of the names as are kept.
func named(names []string) []string {
	size := 0
	for i, name := range names {
		if size += len(name); i >= mostStrangers || size > longestStrangers {
			return slices.Clone(names[:i])
		}
	}
	return slices.Clone(names)
}

// counts begins those counts whose time has come.
func (c *core) counts(now time.Time) (todo []work) {
	if c.recountAt.IsZero() || now.Before(c.recountAt) {
		return nil
	}
	c.recountAt = time.Time{}
	for _, s := range slices.SortedFunc(maps.Values(c.strangers), compareStrangers) {
		switch {
		case s.due.IsZero():
		case s.due.After(now):
			c.recountAt = earlier(c.recountAt, s.due)
		default:
			s.due = time.Time{}
			todo = append(todo, work{pace: c.paces[s.place.Broker], count: s, began: now, key: c.readableKey(s)})
		}
	}
	return todo
}

func compareStrangers(a, b *strangers) int {
	if n := a.ask.fleet.name.compare(b.ask.fleet.name); n != 0 {
		return n
	}
	return strings.Compare(a.ask.site.broker+" "+a.ask.site.queue, b.ask.site.broker+" "+b.ask.site.queue)
}

// readableKey is the key of the place as the fleet has it now.
func (c *core) readableKey(s *strangers) (key backlog.Key) {
	for _, p := range s.ask.fleet.places {
		if p.site() == s.ask.site {
			key = p.Key
		}
	}
	return key
}

// counted takes in what came of a count. Whoever holds nothing any more is left out, until the next search.
func (c *core) counted(s *strangers, res result, now time.Time) {
	if c.strangers[s.ask] != s {
		return // others were found meanwhile
	}
	s.due = now.Add(recountEvery)
	c.recountAt = earlier(c.recountAt, s.due)
	if !s.counted {
		c.woken[s.ask.fleet.name] = struct{}{}
	}
	s.counted = true
	if res.err != nil || len(res.counts) != len(s.workers) {
		return
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
		return
	}
	s.lists -= len(s.workers) - len(holding)
	s.workers, s.tasks = holding, tasks
	if len(holding) == 0 {
		delete(c.strangers, s.ask)
	}
	c.woken[s.ask.fleet.name] = struct{}{}
}

// strangersOf are those of all places of a fleet. Where none are ours to return, nobody looks for them.
func (c *core) strangersOf(f *fleet) (all Strangers) {
	if f.mode == Declined || len(f.places) == 0 {
		return Strangers{Known: f.mode == Declined}
	}
	_, all.Known = f.searched[f.places[0].site()]
	for _, p := range f.places {
		s := c.strangers[ask{f, p.site()}]
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
