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

	// growth bounds how far kills alone raise the memory where maxAllowed does not: a multiple of what the
	// workers have without the kills, and at least leastGrown. The bounds above only slow down a task that is
	// tried again for days, and each kill begins where the one before has ended.
	growth     = 4
	leastGrown = 1 << 30 // bytes

	// floorKept is how long after the last kill the memory is kept up: the time after which the Vertical
	// Pod Autoscaler forgets a peak. (model/aggregations_config.go: DefaultMemoryAggregationIntervalCount)
	floorKept = 8 * 24 * time.Hour
)

// floor is the least memory that a container gets after it was killed for want of it.
type floor struct {
	bytes int64
	// from is what the first of the containers to be killed had, or used if that was more.
	from int64
	// raised is when it was last raised, killed when the last kill was counted.
	raised, killed time.Time
}

// KillResult is what became of a kill.
type KillResult string

const (
	// Counted already, in this process or in one before.
	Counted KillResult = "Counted"
	// Raised the memory.
	Raised KillResult = "Raised"
	// Answered by an earlier raise that the killed container did not have yet.
	Answered KillResult = "Answered"
	// Capped by raisesPerHour or raisesPerDay.
	Capped KillResult = "Capped"
	// AtMaximum is a kill of a container that had all that maxAllowed allows.
	AtMaximum KillResult = "AtMaximum"
	// Outgrown is a kill of a container that had all that kills alone lead to.
	Outgrown KillResult = "Outgrown"
	// AtLimit is a kill of a container at a limit that RequestsOnly leaves as it is.
	AtLimit KillResult = "AtLimit"
)

// Bounds is how far kills may raise a container's memory, in bytes.
type Bounds struct {
	// Maximum is maxAllowed, 0 for none.
	Maximum int64
	// Template is what the podSpec requests.
	Template int64
	// LimitsKept is true where limits stay as they are.
	LimitsKept bool
}

// Count counts a kill, once. Memory goes up by the larger of 20 % and 100 MiB over the larger of what was
// requested and the peak that was seen, by twice that where the container was killed within the hour before
// or had been raised within it. It never rises over the result of an earlier kill: kills of ten workers of
// one size raise it as far as one does.
func (h *History) Count(k Kill, b Bounds, now time.Time) KillResult {
	at := place{k.Pod, k.Container}
	if !h.kills.count(k, now) {
		h.kills.noteEarlier(at, k)
		return Counted
	}
	u := h.usage(k.Container)
	f := &u.floor
	base := max(k.Request, h.peak(at))
	if now.Sub(f.killed) > floorKept {
		*f = floor{from: base}
	}
	recent := !f.raised.IsZero() && now.Sub(f.raised) < repeatedWithin
	repeated := h.kills.again(at, now) || (recent && k.Request >= f.bytes)
	f.killed = now
	h.forgetPeak(at, k.FinishedAt)

	most, reached := b.Maximum, AtMaximum
	if most == 0 {
		most, reached = u.grown(b.Template), Outgrown
	}
	if b.LimitsKept && k.Limit > 0 && k.Request >= k.Limit {
		h.kills.trouble(k, AtLimit, now)
		return AtLimit
	}
	if k.Request >= most {
		f.bytes = max(f.bytes, most)
		h.kills.trouble(k, reached, now)
		return reached
	}
	to := min(raiseBy(base, repeated), most)
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

// grown is the most memory to which kills alone lead.
func (u *Usage) grown(template int64) int64 {
	sound := max(template, u.floor.from)
	if e, measured := u.estimate(u.memory); measured {
		sound = max(sound, whole(e.Target))
	}
	return max(times(sound, growth), leastGrown)
}

func raiseBy(bytes int64, twice bool) int64 {
	step := max(whole(float64(bytes)*oomRatio), oomStep)
	if twice {
		step = times(step, 2)
	}
	return plus(bytes, step)
}

// Floor is the least memory, in bytes, that the containers of a name are to have after their kills, 0 for none.
func (h *History) Floor(container string, now time.Time) int64 {
	u := h.usages[container]
	if u == nil || now.Sub(u.floor.killed) > floorKept {
		return 0
	}
	return u.floor.bytes
}
