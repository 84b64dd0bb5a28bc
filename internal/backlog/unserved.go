package backlog

// Unserved counts what workers hold, at one broker, of queues that no QWorker serves. Nobody here knows whether those
// workers are alive.
type Unserved struct {
	// Known is true once somebody has looked.
	Known bool
	// Lists are the workers' lists, and Queues are how many queues they are of.
	Lists, Queues int
}

// NoteUnserved takes in what a search has found, by the ID of the source, and wakes those who keep an eye on its health
// where that has changed.
func (b *Backlog) NoteUnserved(id string, unserved Unserved) {
	b.mu.Lock()
	s := b.sources[id]
	b.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	var watchers []Key
	if s.unserved != unserved {
		s.unserved = unserved
		watchers = s.healthWatchers()
	}
	s.mu.Unlock()
	s.notify(watchers)
}
