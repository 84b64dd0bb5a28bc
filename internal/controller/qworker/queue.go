package qworker

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/connection"
	"github.com/quickube/qscaler/internal/planner"
	"github.com/quickube/qscaler/internal/revision"
)

// defaultQueueStatusInterval is the default of Options.QueueStatusInterval.
const defaultQueueStatusInterval = 10 * time.Second

// queueKey names a queue that is watched for this QWorker: that of the published revision under "", and
// under its hash that of a revision with another queue or connection whose pods are still there.
func (s *scope) queueKey(hash string) string {
	key := keyPrefix + s.qw.Namespace + "/" + s.qw.Name
	if hash != "" {
		key += "/" + hash
	}
	return key
}

func (s *scope) mainKey() string {
	if s.main == "" {
		s.main = s.queueKey("")
	}
	return s.main
}

// queueRevision is the revision through whose queue and connection the depth is read: the published one.
func (s *scope) queueRevision() *revision.Revision {
	if s.published != nil {
		return s.published
	}
	return s.newest
}

// sharesQueue reports whether pods of the revision work on the queue that is read.
func (s *scope) sharesQueue(hash string) bool {
	main := s.queueRevision()
	if main == nil || hash == main.Hash {
		return true
	}
	r := s.revision(hash)
	return r == nil || (r.Queue == main.Queue && r.Connection == main.Connection)
}

// keyOf is the key of the queue that pods of a revision work on.
func (s *scope) keyOf(hash string) string {
	if s.sharesQueue(hash) {
		return s.mainKey()
	}
	return s.queueKey(hash)
}

// watchQueues tells the backlog which queues to keep current, and which workers to count there.
func (s *scope) watchQueues() {
	main := s.queueRevision()
	if main == nil {
		return
	}
	workers := map[string][]string{s.mainKey(): nil}
	revisions := map[string]*revision.Revision{s.mainKey(): main}
	add := func(pod, hash string) {
		key := s.keyOf(hash)
		workers[key] = append(workers[key], pod)
		if revisions[key] == nil {
			revisions[key] = s.revision(hash)
		}
	}
	for _, p := range s.states {
		add(p.Name, p.Revision)
	}
	for pod, lost := range s.memory.lost {
		add(pod, lost.revision)
	}
	for pod, hash := range s.creating {
		add(pod, hash)
	}
	for _, r := range s.unsearched() {
		if key := s.keyOf(r.Hash); revisions[key] == nil {
			workers[key], revisions[key] = nil, r
		}
	}
	if key := s.newestKey(); key != s.mainKey() && revisions[key] == nil {
		workers[key], revisions[key] = nil, s.newest // to see whether its broker answers
	}
	for key := range s.memory.watches {
		if _, still := workers[key]; !still {
			s.backlog.Forget(key)
			delete(s.memory.watches, key)
		}
	}
	for key, names := range workers {
		s.memory.watches[key] = true
		s.backlog.Watch(key, backlog.Watch{
			Source:      s.source(revisions[key].Connection),
			Query:       broker.Query{Queue: revisions[key].Queue, Workers: names},
			Significant: s.significance(key),
		})
	}
}

// newestKey is the key of the queue that the newest revision works on.
func (s *scope) newestKey() string {
	if s.newest == nil || s.deleting() {
		return s.mainKey()
	}
	return s.keyOf(s.newest.Hash)
}

// newestUnread reports whether the newest revision works on another queue or broker than the published one, which
// has yet to be read, and why it cannot be. Such a revision takes nobody's place: its pods may well start, and
// would all wait for a broker that is not there.
func (s *scope) newestUnread() (unread bool, err error) {
	key := s.newestKey()
	if key == s.mainKey() {
		return false, nil
	}
	r := s.backlog.Last(key)
	return !r.Known || r.Err != nil, r.Err
}

// source is how the backlog reaches a broker. QWorkers of a namespace with equal connections share one.
func (s *scope) source(spec connection.Spec) backlog.Source {
	namespace, resolver := s.qw.Namespace, s.resolver // and not s: the backlog keeps the function for as long as it watches
	return backlog.Source{
		ID: connection.ID(namespace, spec),
		Resolve: func(ctx context.Context) (broker.Endpoint, error) {
			return resolver.Endpoint(ctx, namespace, spec)
		},
	}
}

// readQueue takes the newest reading and sizes the fleet by it.
func (s *scope) readQueue() {
	s.reading = s.backlog.Last(s.mainKey())
	s.sizeUp()
}

func (s *scope) depthKnown() bool { return s.reading.Known && s.reading.Err == nil }

// statesWithWork adds what the broker knows of each worker. A worker that it knows nothing of is not idle.
func (s *scope) statesWithWork() []planner.Pod {
	states := make([]planner.Pod, len(s.states))
	for i, p := range s.states {
		held, known := s.reading.Depth.Held[p.Name]
		switch {
		case !known || !s.depthKnown() || !s.sharesQueue(p.Revision):
			p.Work = planner.Unknown
		case held > 0:
			p.Work = planner.Busy
		default:
			p.Work = planner.Idle
		}
		p.Settled = s.mayGo(s.pods[i])
		states[i] = p
	}
	return states
}

// significance tells which readings the QWorker must be woken for: those that ask for another number of
// workers than the last, those in which a worker that is gone holds a task, those that show another worker
// busy while there is an excess, and now and then those whose figures alone have changed, for the status. The backlog calls it with every reading, so it
// captures what it needs.
func (s *scope) significance(key string) func(prev, next backlog.Reading) bool {
	lost := s.awaitedLists(key)
	found := func(next backlog.Reading) bool {
		return slices.ContainsFunc(lost, func(pod string) bool { return next.Depth.Held[pod] > 0 })
	}
	if key != s.mainKey() {
		return func(_, next backlog.Reading) bool { return found(next) }
	}
	var (
		r       = rangeOf(s.qw.Spec.ScaleConfig)
		excused = s.excused()
		last    = s.reading // what the decision was based on
		asked   = func(d broker.Depth) int { n, _ := r.Clamp(r.Asked(demand(d, excused))); return n }
		excess  = !s.memory.excessSince.IsZero()
		shown   = s.status.Queue
		written = s.memory.queueWritten
		clk     = s.clock
		pause   = s.queueStatusInterval
	)
	if !last.Known {
		last = s.backlog.Last(key)
	}
	return func(_, next backlog.Reading) bool {
		if next.Err != nil {
			return false
		}
		if !last.Known || asked(next.Depth) != asked(last.Depth) || found(next) {
			return true
		}
		if excess && !maps.Equal(last.Depth.Held, next.Depth.Held) {
			return true
		}
		stale := shown == nil || shown.Waiting != next.Depth.Waiting || shown.InFlight != next.Depth.InFlight
		return stale && clk.Since(written) >= pause
	}
}
