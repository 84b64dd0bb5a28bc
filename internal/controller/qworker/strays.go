package qworker

import (
	"time"

	"github.com/quickube/qscaler/internal/revision"
)

// search says how the search for strays stands: the processing lists of pods that died while no operator
// watched, and that this process has never seen.
type search struct {
	wanted bool
	// err is why it has not come to an end; nil while there is nothing wrong.
	err error
}

// findStrays looks, once in the life of this process, for the lists of pods that it never saw.
func (s *scope) findStrays() {
	main := s.queueRevision()
	if s.memory.strays || main == nil {
		return
	}
	if !s.depthKnown() {
		s.search = search{wanted: true, err: s.reading.Err}
		return
	}
	pods, known, err := s.backlog.Strays(s.mainKey(), revision.NamePrefix(s.qw))
	if !known {
		s.search = search{wanted: true, err: err}
		return
	}
	s.memory.strays = true
	for _, pod := range pods {
		if _, present := s.memory.seen[pod]; !present {
			s.memory.lost[pod] = lostPod{revision: main.Hash}
		}
	}
}

// searchPause is how often it is looked whether the search is over, while a deleted QWorker waits for it.
const searchPause = time.Second

// awaitsSearch reports whether the QWorker may not go yet because nobody knows what died before this process began.
func (s *scope) awaitsSearch() bool { return s.deleting() && s.search.wanted && !s.neverRead() }
