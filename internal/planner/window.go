package planner

import "time"

// Window remembers what the queue asked for over the last scaleDownDelay. What is asked for holds until
// something else is. Going down uses the highest of
// it, going up is immediate: the stabilization window of the HorizontalPodAutoscaler, for scale-down only.
//
//	asked    5 5 2 2 7 1 1 1 1 1
//	window   [-----)             of 3
//	desired  5 5 5 5 7 7 7 1 1 1
type Window struct {
	peaks []peak // asked falls from one to the next: a lower, older peak can never matter again; the last is the present
}

type peak struct {
	asked int64
	// until is when the queue last asked for as many; of the last peak it is not yet known.
	until time.Time
}

// Excuse takes n workers out of what was asked for: those of messages that are as good as done, because a worker that
// has leave to go is busy with them. They need no other worker, now or for the rest of the window.
func (w *Window) Excuse(n int64) {
	for i := range w.peaks {
		w.peaks[i].asked = max(w.peaks[i].asked-n, 0)
	}
}

// Add records what is asked for now and returns the highest of the window, and when it next falls; zero
// if it does not by time alone.
func (w *Window) Add(now time.Time, asked int64, delay time.Duration) (highest int64, falls time.Time) {
	if last := len(w.peaks) - 1; last >= 0 {
		w.peaks[last].until = now
	}
	kept := w.peaks[:0]
	for _, p := range w.peaks {
		if p.asked > asked && now.Sub(p.until) < delay {
			kept = append(kept, p)
		}
	}
	w.peaks = append(kept, peak{asked, now})
	if len(w.peaks) == 1 {
		return asked, time.Time{}
	}
	return w.peaks[0].asked, w.peaks[0].until.Add(delay)
}
