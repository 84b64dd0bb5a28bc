package qworker

import (
	"iter"

	"github.com/quickube/qscaler/internal/backlog"
	"github.com/quickube/qscaler/internal/planner"
)

// readings are the newest ones of the queues that a fleet works on.
type readings struct {
	// reading is that of the queue that the depth is read of.
	reading backlog.Reading
	// elsewhere has those of the other queues, by the revision that works there: of the newest revision, and of those that
	// have pods.
	elsewhere map[string]backlog.Reading
	// newestUnread is true where the newest revision works on another queue or broker than the published one, which has
	// yet to be read; newestErr is why it cannot be. Such a revision takes nobody's place: its pods may well start, and
	// would all wait for a broker that is not there.
	newestUnread bool
	newestErr    error
}

// takeReadings reads the queue that the depth is read of, and those on which other revisions work. newest is the revision
// that is to be read though it has no pods, "" for none.
func takeReadings(at places, pods []planner.Pod, newest string, read func(backlog.Key) backlog.Reading) readings {
	r := readings{reading: read(at.main()), elsewhere: map[string]backlog.Reading{}}
	take := func(hash string) {
		if _, taken := r.elsewhere[hash]; !taken && !at.shares(hash) {
			r.elsewhere[hash] = read(at.key(hash))
		}
	}
	for _, p := range pods {
		take(p.Revision)
	}
	if newest != "" && !at.shares(newest) {
		take(newest)
		last := r.elsewhere[newest]
		r.newestUnread, r.newestErr = !isKnown(last), last.Trouble()
	}
	return r
}

// byQueue has the readings by the queues that they are of.
func (r *readings) byQueue(at places) iter.Seq2[backlog.Key, backlog.Reading] {
	return func(yield func(backlog.Key, backlog.Reading) bool) {
		if !yield(at.main(), r.reading) {
			return
		}
		for hash, reading := range r.elsewhere {
			if !yield(at.key(hash), reading) {
				return
			}
		}
	}
}

func (r *readings) depthKnown() bool { return isKnown(r.reading) }

// anyKnown reports whether one of the queues was read.
func (r *readings) anyKnown() bool {
	for _, reading := range r.elsewhere {
		if reading.Known {
			return true
		}
	}
	return r.reading.Known
}

// isKnown reports whether a reading is good, and no newer one has failed.
func isKnown(r backlog.Reading) bool { return r.Known && r.Err == nil }

// readingOf is the newest reading of the queue that a revision works on. Where nobody knows which that is, it is none: that
// the others do not show a worker with a task does not make it idle.
func (r *readings) readingOf(at places, hash string) backlog.Reading {
	switch {
	case !at.know(hash):
		return backlog.Reading{}
	case at.shares(hash):
		return r.reading
	}
	return r.elsewhere[hash]
}
