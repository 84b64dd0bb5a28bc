package backlog

import (
	"slices"
	"time"
)

// noteQuiet notes since when a queue has had neither a worker nor a message. The lock is held.
func (w *watch) noteQuiet(now time.Time) {
	r := w.reading
	switch quiet := r.Known && r.Err == nil && r.Depth.Waiting.N == 0 && r.Depth.InFlight.N == 0 && len(w.spec.Query.Workers) == 0; {
	case !quiet:
		w.quietSince, w.due = time.Time{}, time.Time{}
	case w.quietSince.IsZero():
		w.quietSince = now
	}
}

// markDue has the queues read whose time has come: all, or those without a worker. A quiet queue is read more seldom
// where the kind of broker says so. The lock is held.
func (s *source) markDue(now time.Time, atZero, seldom bool) {
	var quiet []*watch
	for w := range s.watches {
		switch {
		case atZero && (len(w.spec.Query.Workers) > 0 || w.spec.healthOnly):
		case !seldom || s.cadence.Quiet == nil || w.quietSince.IsZero() || len(w.spec.Query.Workers) > 0:
			s.mark(w)
		case !now.Before(w.due):
			quiet = append(quiet, w)
		}
	}
	if most := s.cadence.QuietBudget; most > 0 {
		if most = max(1, int(float64(most)*s.cadence.PollAtZero.Seconds())); len(quiet) > most {
			slices.SortFunc(quiet, func(a, b *watch) int { return a.due.Compare(b.due) }) // who has waited longest
			quiet = quiet[:most]
		}
	}
	for _, w := range quiet {
		s.mark(w)
		// The next look comes a little early or late: half of one interval is as good as the whole.
		w.due = now.Add(s.options.Jitter(s.cadence.Quiet(now.Sub(w.quietSince))) - s.cadence.PollAtZero/2)
	}
}
