package qworker

import "time"

// recheck is when the QWorker is to be looked at again though nothing seems to change.
type recheck struct {
	// from is the time of the present look.
	from time.Time
	// at is when time alone may change the decision; zero for never.
	at time.Time
	// again is true when there is more to do at once.
	again bool
}

// recheckAt brings the next look forward to t. Zero is never, and what is past has been dealt with.
func (r *recheck) recheckAt(t time.Time) {
	if t.After(r.from) && (r.at.IsZero() || t.Before(r.at)) {
		r.at = t
	}
}

// after is the time from now until the next look that time alone calls for, 0 for none.
func (r *recheck) after(now time.Time) time.Duration {
	switch {
	case r.again:
		return time.Millisecond
	case r.at.IsZero():
		return 0
	default:
		return max(r.at.Sub(now), time.Millisecond)
	}
}

// within is the time from now until the next look, and at most as long as that.
func (r *recheck) within(now time.Time, longest time.Duration) time.Duration {
	if next := r.after(now); next > 0 {
		return min(next, longest)
	}
	return longest
}
