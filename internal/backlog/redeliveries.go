package backlog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

const (
	// redeliveryInterval is how often a broker is asked after how long it delivers the messages of a queue again: such settings
	// change seldom, and whoever changes them waits for the word that all is well.
	redeliveryInterval = time.Minute
	// redeliveryLook is how soon it is asked of a queue that is new.
	redeliveryLook = 5 * time.Second
)

// askedRedelivery is what was told of a queue, and when it was asked last.
type askedRedelivery struct {
	broker.Redelivery
	at time.Time
}

// keepRedeliveries asks for the limits of queues until ctx is done, where the driver can tell. It goes beside the reads of
// depths. What was known stays where the broker gives no answer.
func (s *source) keepRedeliveries(ctx context.Context, driver broker.Driver) {
	reader, ok := driver.(broker.RedeliveryReader)
	s.mu.Lock()
	s.redelivers = ok
	s.mu.Unlock()
	if !ok {
		return
	}
	s.beside.Go(func() {
		for s.pause(ctx, s.options.Jitter(redeliveryLook)) {
			for queries := range slices.Chunk(s.dueRedeliveries(), s.cadence.Budget) {
				told, err := s.askRedeliveries(ctx, reader, queries)
				if err == nil {
					s.noteRedeliveries(queries, told)
				}
			}
		}
	})
}

// dueRedeliveries are the queues that are to be asked of now. Each is noted as asked, and those that nobody watches any more
// are forgotten.
func (s *source) dueRedeliveries() []broker.Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock.Now()
	watched := make(map[string]askedRedelivery, len(s.redeliveries))
	var due []broker.Query
	for w := range s.watches {
		name := w.spec.Query.Name()
		if _, taken := watched[name]; taken || w.spec.healthOnly || !w.reading.Known {
			continue
		}
		told, asked := s.redeliveries[name]
		if !asked || now.Sub(told.at) >= redeliveryInterval {
			told.at = now
			due = append(due, broker.Query{Queue: w.spec.Query.Queue, Group: w.spec.Query.Group})
		}
		watched[name] = told
	}
	s.redeliveries = watched
	slices.SortFunc(due, func(a, b broker.Query) int { return strings.Compare(a.Name(), b.Name()) })
	return due
}

func (s *source) askRedeliveries(ctx context.Context, reader broker.RedeliveryReader, queries []broker.Query) (told []broker.Redelivery, err error) {
	defer contain(&err)
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	if told, err = reader.Redeliveries(ctx, queries); err == nil && len(told) != len(queries) {
		return nil, fmt.Errorf("asked for the limits of %d queues, the driver has told %d", len(queries), len(told))
	}
	for i := range told {
		told[i].Setting, told[i].Unless = broker.Words(told[i].Setting, broker.Secret{}), broker.Words(told[i].Unless, broker.Secret{})
	}
	return told, err
}

// noteRedeliveries wakes those who watch a queue of which something new was told.
func (s *source) noteRedeliveries(queries []broker.Query, told []broker.Redelivery) {
	s.mu.Lock()
	var watchers []Key
	for i, q := range queries {
		before, watched := s.redeliveries[q.Name()]
		if !watched || !told[i].Known || before.Redelivery == told[i] {
			continue
		}
		s.redeliveries[q.Name()] = askedRedelivery{told[i], before.at}
		for w := range s.byQueue[q.Queue] {
			if w.spec.Query.Group == q.Group && !w.spec.healthOnly {
				watchers = append(watchers, w.key)
			}
		}
	}
	s.mu.Unlock()
	s.notify(watchers)
}

// Redelivery is what the broker does with messages of a queue that nobody acknowledges for long. Where the broker has no such
// limits, that is known.
func (b *Backlog) Redelivery(key Key) broker.Redelivery {
	w := b.watch(key)
	if w == nil {
		return broker.Redelivery{}
	}
	s := w.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.reading.Known && !s.redelivers {
		return broker.Redelivery{Known: true}
	}
	return s.redeliveries[w.spec.Query.Name()].Redelivery
}
