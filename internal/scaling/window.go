package scaling

import (
	"fmt"
	"time"
)

// stabilise takes the highest number of the last DownDelay: going down waits, going up is immediate. Where workers end
// after their task, it is no more than there are of them; see ended.go.
func stabilise(in Input, n int64, d *Decision) (int64, Note) {
	if !in.Queue.read() {
		return n, Note{Why: "a queue that has not been read says nothing to remember"}
	}
	var highest int64
	var falls time.Time
	asked := n
	if !in.Queue.counted() {
		asked = max(n, d.Memory.asked.last()) // what is not known is not zero, and is not remembered as such
	}
	d.Memory.asked, highest, falls = d.Memory.asked.add(in.Now, asked, in.Scale.DownDelay)
	if highest = in.withoutEnded(asked, highest); highest == asked {
		falls = time.Time{}
	}
	note := Note{
		Why:    fmt.Sprintf("no more were asked for in the last %s", in.Scale.DownDelay),
		Inputs: []Fact{{"scaleDownDelay", in.Scale.DownDelay.String()}},
		Until:  falls,
	}
	switch {
	case highest > n && falls.IsZero():
		note.Why = stay(highest) + " while not all messages can be counted"
	case highest > n:
		note.Why = fmt.Sprintf("%d held until %s by scaleDownDelay (%s)", highest, clockTime(falls), in.Scale.DownDelay)
	}
	return highest, note
}

// window remembers what the queue asked for over the last DownDelay. What is asked for holds until something else is.
// Going down uses the highest of it, going up is immediate: the stabilization window of the HorizontalPodAutoscaler,
// for scale-down only.
//
//	asked    5 5 2 2 7 1 1 1 1 1
//	window   [-----)             of 3
//	desired  5 5 5 5 7 7 7 1 1 1
//
// A window is a value: add and without return another one, and share nothing with it.
type window struct {
	peaks []peak // asked falls from one to the next: a lower, older peak can never matter again; the last is the present
}

type peak struct {
	asked int64
	// until is when the queue last asked for as many; of the last peak it is not yet known.
	until time.Time
}

// last is what was asked for last.
func (w window) last() int64 {
	if len(w.peaks) == 0 {
		return 0
	}
	return w.peaks[len(w.peaks)-1].asked
}

// without takes n workers out of what was asked for: those of messages that are as good as done, because a worker that
// is on its way out is busy with them. They need no other worker, now or for the rest of the window.
func (w window) without(n int64) window {
	peaks := make([]peak, len(w.peaks))
	for i, p := range w.peaks {
		peaks[i] = peak{max(p.asked-n, 0), p.until}
	}
	return window{peaks}
}

// add records what is asked for now. It returns the highest of the window, and when that next falls; zero if it does
// not by time alone.
func (w window) add(now time.Time, asked int64, delay time.Duration) (next window, highest int64, falls time.Time) {
	peaks := make([]peak, 0, len(w.peaks)+1)
	for i, p := range w.peaks {
		if i == len(w.peaks)-1 {
			p.until = now
		}
		if p.asked > asked && now.Sub(p.until) < delay {
			peaks = append(peaks, p)
		}
	}
	peaks = append(peaks, peak{asked, now})
	if len(peaks) == 1 {
		return window{peaks}, asked, time.Time{}
	}
	return window{peaks}, peaks[0].asked, peaks[0].until.Add(delay)
}
