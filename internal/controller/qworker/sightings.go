package qworker

import (
	"maps"
	"slices"
	"sync"

	"github.com/quickube/qscaler/internal/backlog"
)

// sightings are the revisions of which a worker was seen at a task: the broker has shown one of their pods with a task in
// its hands. Until then a worker that holds nothing is not known to be idle. It may take its tasks in a way that the
// broker does not show, as with BRPOP, Celery or RQ.
//
// Each reading is looked at, also those that wake nobody: a short task is only in few of them. Revisions keep what was
// seen for a later leader; this is what is not stored yet.
type sightings struct {
	mu   sync.Mutex
	seen map[string]bool
	// pods has the workers that were seen at a task themselves. signs has, by revision, what the queue has shown while its
	// workers were there.
	pods  map[string]bool
	signs map[string]signs
}

// signs count how often two readings of a queue differed: at all, and by a task that was done and that workers of a
// revision may have done.
type signs struct{ moved, done int }

func (s *sightings) has(hash string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[hash]
}

func (s *sightings) add(hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[hash] = true
}

// signsOf are the signs that the queue has shown while workers of a revision were there.
func (s *sightings) signsOf(hash string) signs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signs[hash]
}

// addPods notes which of the workers are at a task by a reading.
func (s *sightings) addPods(pods []string, next backlog.Reading) {
	if len(pods) == 0 || next.Depth.Held == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pod := range pods {
		if next.Depth.Held[pod] > 0 {
			if s.pods == nil {
				s.pods = map[string]bool{}
			}
			s.pods[pod] = true
		}
	}
}

func (s *sightings) hasPod(pod string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pods[pod]
}

// withoutPods are the workers of a list that were not seen at a task. The list is used up.
func (s *sightings) withoutPods(pods []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(pods, func(pod string) bool { return s.pods[pod] })
}

// keepPods forgets workers that are gone.
func (s *sightings) keepPods(there func(pod string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.pods, func(pod string, _ bool) bool { return !there(pod) })
}

// forgetSigns forgets revisions that are gone.
func (s *sightings) forgetSigns(gone func(hash string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.signs, func(hash string, _ signs) bool { return gone(hash) })
}
