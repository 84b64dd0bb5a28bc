package recovery

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// formerPatience is for how long somebody waits for the search of a former place that cannot be read: a broker may have been
// given up years ago. Where it can be read again, it is searched all the same.
const formerPatience = 10 * time.Minute

// mostFound bounds how many dead workers of one fleet are known from searches at once. A server may name workers of it
// without an end. Where it names more, the place is searched again once half of these are done.
const mostFound = 1000

// Somebody may invent dead workers of a fleet, in its broker, and each look at a fleet costs as much as it has of them. So a
// fleet of which searches have found more than fewFound is looked at only once in a while for their sake: perFound for
// each, and longestGathering at most. Workers whose pods were seen are another matter: nobody invents those.
const (
	fewFound         = 50
	perFound         = 4 * time.Millisecond
	longestGathering = 2 * time.Second
)

// fleet is what is known of one fleet.
type fleet struct {
	name     Fleet
	mode     Mode
	deleting bool
	// family is what the names of its workers have in common.
	family string
	// seen has the workers whose pods were there at the last observation.
	seen    map[string]Worker
	records map[string]*record
	// searched has the sites that were searched and when that began, and searchFrom is when the tasks were last not ours to return: what was
	// found before is not all. Zero for never.
	searched   map[site]time.Time
	searchFrom time.Time
	places     []Place
	// more has the sites at which the last search has named more workers than could be taken in.
	more map[site]struct{}
	// lookAgain is when the fleet is next worth a look for the sake of workers that searches have found.
	lookAgain time.Time

	// returned and failure are for the next snapshot. Of several failures it has the first worker's, by name.
	returned int64
	failure  error
	failing  string
	// failures counts those that were told since failuresFrom.
	failures     int
	failuresFrom time.Time
}

func newFleet(name Fleet, family string) *fleet {
	return &fleet{name: name, family: family, records: map[string]*record{}, searched: map[site]time.Time{}, more: map[site]struct{}{}}
}

// track compares the workers that are there with those that were, and returns how many have vanished. Only a name that the
// operator has made says whose a list is: somebody may give the fleet a pod with the name of another's worker.
func (f *fleet) track(o Observation, names Names) (vanished int) {
	present := make(map[string]Worker, len(o.Workers))
	for _, w := range o.Workers {
		present[w.Name] = w
		if names.FamilyOf(w.Name) != f.family {
			continue
		}
		r := f.records[w.Name]
		if r == nil && w.Ended {
			r = f.add(w)
		}
		if r != nil {
			r.seen(w.Ended)
		}
	}
	for worker, was := range f.seen {
		if _, still := present[worker]; still {
			continue
		}
		vanished++
		if names.FamilyOf(worker) != f.family {
			continue
		}
		r := f.records[worker]
		if r == nil {
			r = f.add(was)
		}
		r.vanished(o.Now)
	}
	f.seen = present
	f.handOn(o.Workers)
	return vanished
}

// handOn takes their addresses from dead workers where one that is there has them by now.
func (f *fleet) handOn(workers []Worker) {
	if len(f.records) == 0 {
		return
	}
	taken := make(map[string]bool, len(workers))
	for _, w := range workers {
		taken[w.PodIP] = taken[w.PodIP] || !w.Ended
	}
	for _, r := range f.records {
		if taken[r.podIP] {
			r.podIP = ""
		}
	}
}

func (f *fleet) add(w Worker) *record {
	r := &record{worker: w.Name, revision: w.Revision, hostName: w.HostName, podIP: w.PodIP, fleet: f}
	f.records[w.Name] = r
	return r
}

// decline forgets what is not ours to return, but for the workers whose tasks are back already.
func (f *fleet) decline(now time.Time) {
	for _, r := range f.records {
		if r.state != Returned {
			r.state = dropped
		}
	}
	clear(f.searched)
	clear(f.more)
	f.searchFrom = now
}

// found adds the workers that a search has found at a place and that nobody knew of, as many as there is room for, and
// returns their records. Of those of which nobody knew where they were at work, it tells that.
func (f *fleet) found(workers []string, place Place, now time.Time) (added []*record) {
	delete(f.more, place.site())
	room := mostFound - f.fromSearches()
	for _, worker := range workers {
		_, present := f.seen[worker]
		known := f.records[worker]
		if known != nil && known.isUnplaced() {
			known.place = place
			added = append(added, known)
		}
		if present || known != nil {
			continue
		}
		if room--; room < 0 {
			f.more[place.site()] = struct{}{}
			break
		}
		r := f.add(Worker{Name: worker, Revision: place.Revision})
		r.vanished(now)
		r.place, r.found = place, true
		added = append(added, r)
	}
	return added
}

// fromSearches counts the records of workers that searches have found.
func (f *fleet) fromSearches() (n int) {
	for _, r := range f.records {
		if r.found {
			n++
		}
	}
	return n
}

// looked is called at each look.
func (f *fleet) looked(now time.Time) {
	if n := f.fromSearches(); n > fewFound {
		f.lookAgain = now.Add(min(time.Duration(n)*perFound, longestGathering))
	} else {
		f.lookAgain = now
	}
}

// hasRoom reports whether so many of them are done that others are worth a search.
func (f *fleet) hasRoom() bool { return f.fromSearches() <= mostFound/2 }

// hasMore reports whether there are dead workers at a site that could not be taken in.
func (f *fleet) hasMore(at site) bool {
	_, more := f.more[at]
	return more
}

// Of failures mostFailures are told in failuresFor: each is an event, and a fleet may lose many workers while nothing can be
// returned. One that lasts comes again.
const (
	mostFailures = 5
	failuresFor  = 30 * time.Second
)

// takeFailure is the failure for a snapshot, nil for none and where enough were told of late.
func (f *fleet) takeFailure(now time.Time) (failure error) {
	if f.failure == nil {
		return nil
	}
	if now.Sub(f.failuresFrom) >= failuresFor {
		f.failuresFrom, f.failures = now, 0
	}
	if f.failures < mostFailures {
		failure = f.failure
		f.failures++
	}
	f.failure = nil
	return failure
}

// fail notes a failure for the next snapshot.
func (f *fleet) fail(worker string, err error) {
	if f.failure == nil || worker <= f.failing {
		f.failure, f.failing = err, worker
	}
}

// dead has the records as a snapshot shows them, by name.
func (f *fleet) dead(failuresOf func(*record) (int, error)) []Dead {
	if len(f.records) == 0 {
		return nil
	}
	dead := make([]Dead, 0, len(f.records))
	for r := range maps.Values(f.records) {
		d := Dead{Worker: r.worker, Revision: r.revision, HostName: r.hostName, PodIP: r.podIP, State: r.state, Unconfirmed: r.unasked, Unplaced: r.isUnplaced()}
		d.Failures, d.Err = failuresOf(r)
		dead = append(dead, d)
	}
	slices.SortFunc(dead, func(a, b Dead) int { return strings.Compare(a.Worker, b.Worker) })
	return dead
}

// rereadAfter is when a list is looked at again that has not been read since its minute was over: by then it has been.
const rereadAfter = 10 * time.Second

// recheckAt is when time alone changes the records: the first list is not watched any more then. While its queue cannot be
// read, that waits for the broker, which wakes by itself.
func (f *fleet) recheckAt(now time.Time, unreadable func(*record) bool) (first time.Time) {
	for _, r := range f.records {
		if r.state != Lingering || unreadable(r) {
			continue
		}
		at := r.returned.Add(lingering)
		if !at.After(now) {
			at = now.Add(rereadAfter)
		}
		first = earlier(first, at)
	}
	if !first.IsZero() && first.Before(f.lookAgain) {
		return f.lookAgain
	}
	return first
}

// earlier is the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
