package recovery

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
)

const (
	// failuresToTell is how often in a row a search must fail to be told: one that a broken connection ended says nothing.
	failuresToTell = 3
	// searchEvery is how old an answer may become. A list may turn up at any time, as by a request that hung.
	searchEvery = time.Hour
	// settling is for how long those gather who ask again, before the walk begins: when a server fails over, all who reach
	// it connect anew, one after another.
	settling = 10 * time.Second
	// restFactor keeps walks from filling a server's day: after each comes a pause of so many times its length, and of
	// mostRest at most.
	restFactor = 4
	mostRest   = 10 * time.Minute
	// mostKept bounds what is kept of a walk's answer for fleets that come later: about 2,000 names of one server. nameSize is
	// what a name takes beside its text, listSize what it takes more where nobody serves the queue. Servers may name holders
	// without an end, and many servers may.
	mostKept = 256 << 10
	nameSize = 112
	listSize = 64
	// mostKeptOfAll bounds what is kept of the answers of all servers. Those with the most names are dropped first, so that
	// nobody who has many costs somebody who has few another walk.
	mostKeptOfAll = 16 << 20
)

// search finds the holders of tasks, of whatever queue, in one walk over the keys of one server. One walk serves every
// fleet that asks for none later, of whatever ScalerConfig and namespace; where no fleet asks, there is none.
type search struct {
	// keys names what is searched; see backlog.Server.
	keys string
	// users counts the brokers that share it.
	users int
	// began is when the last walk did, zero before the first; underWay is true until it ends.
	began    time.Time
	underWay bool
	// known is true once the last walk has come to its end, while what it has found is kept. Holders has that, by queue.
	known   bool
	holders map[string][]string
	// size is what the names take that are kept.
	size int
	// unserved counts what the last walk that came to its end has found of queues that nobody serves, and unservedLists has
	// those lists, as long as holders has its names.
	unserved      backlog.Unserved
	unservedLists []broker.Holder
	// failures counts the walks in a row that failed, err is why the last of them did, and next when to try again.
	failures int
	err      error
	pause    time.Duration
	next     time.Time
	// asks has who waits for a walk, and due is when the first of them wants it to begin.
	asks map[ask]*question
	due  time.Time
}

// ask is what one fleet asks: who of it holds tasks at a place.
type ask struct {
	fleet *fleet
	site  site
}

// question says more of an ask.
type question struct {
	place Place
	// since is the time after which a walk must begin to be an answer, due when it is wanted.
	since, due time.Time
	// told is true once the fleet was told that the walks fail.
	told bool
}

// answers reports whether the last walk says who held tasks at some time after since.
func (s *search) answers(since time.Time) bool { return s.known && s.began.After(since) }

// trouble is why the holders are not known, once that is no matter of moments.
func (s *search) trouble() error {
	if s.failures < failuresToTell {
		return nil
	}
	return s.err
}

// ask has a fleet wait for a walk that begins after since, and no earlier than is due. Who asks again meanwhile waits no
// longer for that.
func (s *search) ask(f *fleet, place Place, since, due time.Time) {
	a := ask{f, place.site()}
	if s.asks == nil {
		s.asks = map[ask]*question{}
	}
	q := s.asks[a]
	if q == nil {
		q = &question{due: due}
		s.asks[a] = q
	}
	q.place, q.since, q.told = place, since, s.trouble() != nil
	s.due = earlier(s.due, q.due)
}

// dropAsks ends what a fleet asks at a broker.
func (s *search) dropAsks(f *fleet, broker string) {
	maps.DeleteFunc(s.asks, func(a ask, _ *question) bool { return a.fleet == f && a.site.broker == broker })
}

// move has what is asked at a broker be asked of another search.
func (s *search) move(broker string, to *search) {
	for a, q := range s.asks {
		if a.site.broker == broker {
			delete(s.asks, a)
			to.ask(a.fleet, q.place, q.since, q.due)
		}
	}
}

// recheckAt is when the next walk is due, zero for never.
func (s *search) recheckAt(now time.Time) time.Time {
	if s.underWay || len(s.asks) == 0 {
		return time.Time{}
	}
	at := now
	for _, other := range []time.Time{s.next, s.due} {
		if other.After(at) {
			at = other
		}
	}
	return at
}

// through is the broker by which the next walk goes. The users of one server may have different rights: where one may not
// search, the next walk goes by another.
func (s *search) through() string {
	brokers := map[string]struct{}{}
	for a := range s.asks {
		brokers[a.site.broker] = struct{}{}
	}
	sorted := slices.Sorted(maps.Keys(brokers))
	return sorted[s.failures%len(sorted)]
}

// begin is called when a walk begins. What the one before it has found is old then.
func (s *search) begin(now time.Time) {
	s.drop()
	s.underWay, s.began = true, now
}

// ended records what came of a walk, and returns whom its failure is to be told.
func (s *search) ended(holders []broker.Holder, err error, now time.Time) (tell []*fleet) {
	s.underWay = false
	if s.err = err; err != nil {
		s.pause = pauses.Next(s.pause)
		s.next = now.Add(max(s.pause, s.rest(now)))
		s.failures++
		return s.untold()
	}
	s.known, s.failures, s.pause, s.next = true, 0, 0, now.Add(s.rest(now))
	s.holders, s.unservedLists = map[string][]string{}, make([]broker.Holder, 0, len(holders))
	queues := map[string]string{} // by what came: a map takes the key that it is last given, and that would keep it
	for _, h := range holders {
		worker := strings.Clone(h.Worker) // what came is a part of a key, and would keep all of it
		list := broker.Holder{Worker: worker, Queues: make([]string, 0, len(h.Queues))}
		for _, came := range h.Queues {
			queue, known := queues[came]
			if !known {
				queue = strings.Clone(came)
				queues[queue] = queue
			}
			s.holders[queue] = append(s.holders[queue], worker)
			list.Queues = append(list.Queues, queue)
		}
		s.unservedLists = append(s.unservedLists, list) // noteUnserved leaves out those that are served
	}
	return nil
}

// keep says how much is kept of what the last walk has found. Who asks later has another walk where that is too much.
func (s *search) keep() {
	size := len(s.unservedLists) * listSize
	for queue, workers := range s.holders {
		size += len(queue)
		for _, worker := range workers {
			size += len(worker) + nameSize
		}
	}
	if s.size = size; size > mostKept {
		s.drop()
	}
}

// drop drops what the last walk has found.
func (s *search) drop() { s.known, s.holders, s.unservedLists, s.size = false, nil, nil, 0 }

// rest is how long a server is left alone after a walk that ends now.
func (s *search) rest(now time.Time) time.Duration {
	return min(restFactor*now.Sub(s.began), mostRest)
}

// untold are the fleets that have yet to be told that the walks fail.
func (s *search) untold() (fleets []*fleet) {
	if s.trouble() == nil {
		return nil
	}
	for a, q := range s.asks {
		if !q.told {
			q.told = true
			fleets = append(fleets, a.fleet)
		}
	}
	return fleets
}

// answered are the asks that the last walk answers. They wait no more.
func (s *search) answered() map[ask]*question {
	answered := map[ask]*question{}
	s.due = time.Time{}
	for a, q := range s.asks {
		if s.answers(q.since) {
			answered[a] = q
			delete(s.asks, a)
			continue
		}
		s.due = earlier(s.due, q.due)
	}
	return answered
}
