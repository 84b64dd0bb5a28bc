package redis

import (
	"fmt"
	"sync"
)

// Bounds of what searches for holders take in memory. A server may name holders without an end, and many servers may.
const (
	// mostHolders bounds what one search finds: about 100,000 names. mostOfAll bounds what those find together that are
	// under way; what is within spare always has room, so that a search of a few hundred names waits for nobody.
	mostHolders = 16 << 20
	mostOfAll   = 32 << 20
	spare       = 64 << 10
	// holderSize is what a name takes beside its text.
	holderSize = 112
)

// searches is shared by the drivers of one kind.
type searches struct {
	*lanes

	mu    sync.Mutex
	taken int
}

func newSearches() *searches { return &searches{lanes: newLanes()} }

// search is what one search has found so far.
type search struct {
	of    *searches
	taken int
}

// take makes room for a name.
func (s *search) take(name string) error {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	size := len(name) + holderSize
	switch {
	case s.taken+size > mostHolders:
		return fmt.Errorf("the server names more processing lists than fit into %d MiB; is it Redis?", mostHolders>>20)
	case s.taken+size > spare && s.of.taken+size > mostOfAll:
		return fmt.Errorf("the searches of all servers have found as much as fits into %d MiB; this one is tried again", mostOfAll>>20)
	}
	s.taken += size
	s.of.taken += size
	return nil
}

// end frees the room.
func (s *search) end() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.taken -= s.taken
	s.taken = 0
}
