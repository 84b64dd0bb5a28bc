package backlog

import (
	"slices"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// Watch is what is watched under a key.
type Watch struct {
	Source Source
	Query  broker.Query
	// Significant says whether a new reading is to wake the watcher. It is called with each one, must be
	// quick, and must not call the Backlog. That a broker fails, fails otherwise, or answers again always wakes.
	Significant func(prev, next Reading) bool
	// Reclaims is true where the watcher may have tasks of dead workers returned. While somebody may, no other operator
	// of the same cluster does.
	Reclaims bool

	healthOnly bool
}

// Reading is the depth of a queue, and how sure it is.
type Reading struct {
	// Depth is the last good one; of nothing while Known is false.
	Depth broker.Depth
	// Known is true once a read has succeeded.
	Known bool
	// ReadAt is when the last good read began.
	ReadAt time.Time
	// Took is how long that took.
	Took time.Duration
	// Err is why the newest read failed, nil when it did not. Depth is then old.
	Err error
	// ErrSince is when reads began to fail; zero while Err is nil.
	ErrSince time.Time
	// Told is what was told of a failure, nil for none; see Trouble.
	Told error
}

// Trouble is what is to be shown of a failure, nil for none. It may be an older one, while the broker fails again and again,
// or in other words each time. What is to be done follows Err.
func (r Reading) Trouble() error {
	if r.Told != nil {
		return r.Told
	}
	return r.Err
}

// watch is one queue that is watched. Its source's lock guards it.
type watch struct {
	key     Key
	source  *source
	spec    Watch
	reading Reading
	damper  damper
	// changed is true where the keys of the broker may have become others since the last reading.
	changed bool
	// outpaced is when the first of the reads began whose answers came too late, all of those since the last reading. It is
	// zero where there was none. See overtaken.
	outpaced time.Time
	// quietSince is since when the queue has had neither a worker nor a message, zero where it has; due is when such a queue
	// is to be read.
	quietSince, due time.Time
	// waiting has those who have requested a reading. Each channel has room for it.
	waiting []chan Reading
}

// turn takes a new reading, and reports whether the watcher is to be woken for it.
func (w *watch) turn(next Reading) bool {
	prev := w.reading
	next.Told = w.damper.tells(prev.Told, next.Err, w.source.options.Clock.Now())
	w.reading = next
	w.noteQuiet(w.source.options.Clock.Now())
	return turned(prev, next) || (w.spec.Significant != nil && w.spec.Significant(prev, next))
}

// sameQuery reports whether both ask for the same workers of the same queue, in whatever order. A worker that has got
// its address since is the same: it goes into the next read, whenever that comes.
func sameQuery(a, b broker.Query) bool {
	return sameQueue(a, b) && slices.Equal(podNames(a.Workers), podNames(b.Workers))
}

// sameQueue reports whether both ask for the same queue, as the same consumer group sees it.
func sameQueue(a, b broker.Query) bool { return a.Queue == b.Queue && a.Group == b.Group }

// covers reports whether the answer to one query is an answer to another, too: that is so where workers have gone since,
// and a fleet whose workers leave one after another has its queue read however slow the broker is.
func covers(asked, present broker.Query) bool {
	if !sameQueue(asked, present) {
		return false
	}
	names := podNames(asked.Workers)
	return !slices.ContainsFunc(present.Workers, func(w broker.Worker) bool {
		_, found := slices.BinarySearch(names, w.PodName)
		return !found
	})
}

// overtaken takes in that a read, which began then, has said nothing of workers that have come since: what they took would
// be missing. The next read asks for them. It reports whether that has gone on for as long as one read may take: the
// reading has failed then, for what comes that fast may go on for ever.
func (w *watch) overtaken(began, now time.Time, limit time.Duration) bool {
	if w.outpaced.IsZero() {
		w.outpaced = began
	}
	return now.Sub(w.outpaced) >= limit
}

func podNames(workers []broker.Worker) []string {
	names := make([]string, len(workers))
	for i, w := range workers {
		names[i] = w.PodName
	}
	slices.Sort(names)
	return names
}

// after is the reading after an answer. One that does not say how many messages wait has said nothing.
func (r Reading) after(a broker.Answer, began, now time.Time) Reading {
	switch {
	case a.Err != nil:
		return r.failed(a.Err, began)
	case !a.Depth.Waiting.Known:
		return r.failed(errNoCount, began)
	}
	return Reading{Depth: a.Depth, Known: true, ReadAt: began, Took: now.Sub(began), Told: r.Told}
}

// failed is the reading after a failure: the depth stays.
func (r Reading) failed(err error, now time.Time) Reading {
	if r.Err == nil {
		r.ErrSince = now
	}
	r.Err = err
	return r
}

// turned reports whether one reading failed and the other did not, or they failed otherwise. The messages have no
// ports and no times in them: the same failure has the same message.
func turned(prev, next Reading) bool {
	return prev.Known != next.Known || (prev.Err == nil) != (next.Err == nil) || isOther(prev.Told, next.Told)
}

// isOther reports whether a broker that failed fails no more or otherwise, or one that did not fail does.
func isOther(before, now error) bool {
	return (before == nil) != (now == nil) || (now != nil && differs(before, now))
}

// differs reports whether two failures are to be told apart by a person.
func differs(a, b error) bool {
	return broker.ReasonOf(a) != broker.ReasonOf(b) || a.Error() != b.Error()
}
