package backlog

import (
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Server is what a source sees of its server.
type Server struct {
	// Keys names the keys that it sees, "" while that is not known. Sources with equal names see the same: what one of them finds is there for all.
	Keys string
	// Changed is when these may last have become others: the connection was made again, as to a server that was restored or
	// promoted, or the server said so. It is zero where neither has happened.
	Changed time.Time
	// Obstacle is why Keys is not known, nil while that is a matter of moments.
	Obstacle error
}

// Server says what a source sees, by its ID. Sources see the same keys where they reach and verify the server in the same
// way, and find the same mark on this process' claim: that one of them has written. Two names of one server are two
// servers here. Users need not be the same: what a user may do does not change which keys a search finds, and the search
// of one serves those who may not search.
func (b *Backlog) Server(id string) Server {
	b.mu.Lock()
	s := b.sources[id]
	b.mu.Unlock()
	if s == nil {
		return Server{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	server := Server{Keys: "source " + id, Changed: s.changed}
	shared, isShared := s.config.(broker.SharedConfig)
	_, reclaims := s.driver.(broker.Reclaimer)
	switch {
	case !reclaims:
	case !s.tenure.ours:
		server.Keys, server.Obstacle = "", s.tenure.claim().Err
		s.claimAwaited = true
	case isShared:
		server.Keys = shared.Server() + ", mark " + s.tenure.mark
	}
	return server
}
