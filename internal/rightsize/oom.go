package rightsize

import (
	"time"
)

const (
	// oomRatio and oomStep are how far a kill raises the memory, whichever is more. (model/
	// aggregations_config.go: DefaultOOMBumpUpRatio, DefaultOOMMinBumpUp)
	oomRatio = 0.2
	oomStep  = 100 << 20 // bytes

	// repeatedWithin is the time in which a kill that follows another shows that the step was too small.
	repeatedWithin = time.Hour

	// raisesPerHour and raisesPerDay bound how often the kills of one QWorker raise its memory. Three
	// steps are enough for a worker that needs three times what it has. A task that kills whichever worker
	// takes it would otherwise drive the fleet to the maximum, one worker after another.
	raisesPerHour = 3
	raisesPerDay  = 6

	// floorKept is how long after the last kill the memory is kept up: the time after which the Vertical
	// Pod Autoscaler forgets a peak. (model/aggregations_config.go: DefaultMemoryAggregationIntervalCount)
	floorKept = 8 * 24 * time.Hour
)

// floor is the least memory that a container gets after it was killed for want of it.
type floor struct {
	bytes int64
	// raised is when it was last raised, killed when the last kill was counted.
	raised, killed time.Time
}

// Verdict is what became of a kill.
type Verdict string

const (
	// Counted already, in this process or in one before.
	Counted Verdict = "Counted"
	// Raised the memory.
	Raised Verdict = "Raised"
	// Answered by an earlier raise that the killed container did not have yet.
	Answered Verdict = "Answered"
	// Capped by raisesPerHour or raisesPerDay.
	Capped Verdict = "Capped"
	// AtMaximum is a kill of a container that had all that maxAllowed allows.
	AtMaximum Verdict = "AtMaximum"
)

// Count counts a kill, once. Memory goes up by the larger of 20 % and 100 MiB over the larger of what was
// requested and the peak that was seen, by twice that where the container was killed within the hour before
// or had been raised within it. It never rises over the result of an earlier kill: kills of ten workers of
// one size raise it as far as one does. maximum is maxAllowed in bytes, 0 for none.
func (h *History) Count(k Kill, maximum int64, now time.Time) Verdict {
	at := place{k.Pod, k.Container}
	if !h.kills.count(k, now) {
		return Counted
	}
	f := &h.usage(k.Container).floor
	if now.Sub(f.killed) > floorKept {
		*f = floor{}
	}
	recent := !f.raised.IsZero() && now.Sub(f.raised) < repeatedWithin
	repeated := h.kills.again(at, now) || (recent && k.Request >= f.bytes)
	f.killed = now

	base := max(k.Request, h.peak(at))
	if maximum > 0 && base >= maximum {
		f.bytes = maximum
		h.kills.trouble(k, AtMaximum, now)
		return AtMaximum
	}
	to := raiseBy(base, repeated)
	if maximum > 0 {
		to = min(to, maximum)
	}
	switch {
	case to <= f.bytes:
		return Answered
	case h.kills.capped(now):
		h.kills.trouble(k, Capped, now)
		return Capped
	}
	f.bytes, f.raised = to, now
	h.kills.raises = append(h.kills.raises, now)
	return Raised
}

func raiseBy(bytes int64, twice bool) int64 {
	step := max(int64(float64(bytes)*oomRatio), oomStep)
	if twice {
		step *= 2
	}
	return bytes + step
}

// Floor is the least memory, in bytes, that the containers of a name are to have after their kills, 0 for none.
func (h *History) Floor(container string, now time.Time) int64 {
	u := h.usages[container]
	if u == nil || now.Sub(u.floor.killed) > floorKept {
		return 0
	}
	return u.floor.bytes
}
