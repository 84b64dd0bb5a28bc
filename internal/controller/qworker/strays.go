package qworker

import (
	"cmp"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/revision"
)

// place is where the pods of a revision work. Pods of an earlier place may have died while no operator watched, as
// those of the present one.
type place struct {
	connection connection.Spec
	queue      string
}

func placeOf(r *revision.Revision) place { return place{connection: r.Connection, queue: r.Queue} }

// search says how the search of one place for strays stands: the processing lists of pods that died while no
// operator watched, and that this process has never seen.
type search struct {
	// former is true for a place at which no new pod works.
	former bool
	// err is why the search has not come to an end; nil while there is nothing wrong.
	err error
}

// unsearched are the places that have yet to be searched, each as the newest revision that works there. The first
// is the present one, unless that has been searched.
func (s *scope) unsearched() []*revision.Revision {
	main := s.queueRevision()
	if main == nil || !s.reclaims() {
		return nil
	}
	var found []*revision.Revision
	add := func(r *revision.Revision) {
		same := func(o *revision.Revision) bool { return placeOf(o) == placeOf(r) }
		if !s.memory.searched[placeOf(r)] && !slices.ContainsFunc(found, same) {
			found = append(found, r)
		}
	}
	add(main)
	for i := range slices.Backward(s.revisions) {
		add(&s.revisions[i])
	}
	return found
}

// formerPatience is for how long a former place is sought that cannot be reached: a broker that was given up years
// ago is not to be asked for until its revision is forgotten.
const formerPatience = 10 * time.Minute

// findStrays looks for the lists of pods that this process never saw, once in its life, and anew when tasks are ours to
// give back again after they were not.
func (s *scope) findStrays() {
	for _, r := range s.unsearched() {
		former := s.keyOf(r.Hash) != s.mainKey()
		reading := s.backlog.Last(s.keyOf(r.Hash))
		if reading.Err != nil && former {
			if s.now.Sub(reading.ErrSince) >= formerPatience {
				s.memory.searched[placeOf(r)] = true
				continue
			}
			s.wakeAt(reading.ErrSince.Add(formerPatience))
		}
		if !reading.Known || reading.Err != nil {
			s.searches = append(s.searches, search{former: former, err: reading.Err})
			continue
		}
		ours := func(pod string) bool { return revision.IsPodName(s.qw, pod) }
		pods, known, err := s.backlog.Strays(s.keyOf(r.Hash), ours, s.memory.searchFrom)
		if !known {
			s.searches = append(s.searches, search{former: former, err: err})
			s.searchErr = cmp.Or(s.searchErr, err)
			continue
		}
		s.memory.searched[placeOf(r)] = true
		for _, pod := range pods {
			_, present := s.memory.seen[pod]
			if _, lost := s.memory.lost[pod]; !present && !lost {
				s.memory.lost[pod] = lostPod{revision: r.Hash, since: s.now}
			}
		}
	}
}

// searchPause is how often it is looked whether the searches are over, while a deleted QWorker waits for them.
const searchPause = time.Second

// awaited is the first search that a deleted QWorker waits for, nil where there is none: nobody knows yet what died
// there before this process began. A former place that cannot be searched is not waited for, it may be there no more.
func (s *scope) awaited() *search {
	if !s.deleting() || s.neverRead() {
		return nil
	}
	for i, sought := range s.searches {
		if !sought.former || sought.err == nil {
			return &s.searches[i]
		}
	}
	return nil
}
