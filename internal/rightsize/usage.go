package rightsize

import (
	"math"
	"time"
)

const (
	// targetPercentile is what the target is read from. (logic/recommender.go: target-cpu-percentile,
	// target-memory-percentile)
	targetPercentile = 0.9
	// upperPercentile is what the upper bound is read from. (logic/recommender.go:
	// recommendation-upper-bound-cpu-percentile, recommendation-upper-bound-memory-percentile)
	upperPercentile = 0.95
	// peakInterval is the time of which a container adds one memory sample, its peak.
	// (model/aggregations_config.go: DefaultMemoryAggregationInterval)
	peakInterval = 24 * time.Hour
	// samplesPerDay is what a container reports in a day, at one sample a minute. (logic/estimator.go)
	samplesPerDay = 24 * 60
)

// Usage is what is known of the containers of one name, of all pods of a QWorker.
type Usage struct {
	// Samples is how many samples there were; First and Last are their times.
	Samples     int64
	First, Last time.Time

	// cpu has every CPU sample, in cores; memory one peak a pod and peakInterval, in bytes.
	cpu, memory *Histogram
	// floor is what out-of-memory kills have taught.
	floor floor
}

func newUsage() *Usage {
	return &Usage{cpu: NewHistogram(CPUBuckets()), memory: NewHistogram(MemoryBuckets())}
}

// Estimate is what a container needs of one resource, in cores or bytes, without any margin.
type Estimate struct {
	// Target is the 90th percentile: what to request.
	Target float64
	// Upper is the bound above which a request is certainly too large: the 95th percentile times
	// 1 + 1/confidence. Without a history it is infinite.
	Upper float64
	// Most is the largest sample that is not yet forgotten.
	Most float64
}

func (u *Usage) estimate(h *Histogram) (Estimate, bool) {
	if h.Empty() {
		return Estimate{}, false
	}
	return Estimate{
		Target: h.Percentile(targetPercentile),
		Upper:  h.Percentile(upperPercentile) * (1 + 1/u.confidence()),
		Most:   h.Percentile(1),
	}, true
}

// confidence is the length of the history in days, or what its samples would make at one a minute if that is
// less. (logic/estimator.go: getConfidence)
func (u *Usage) confidence() float64 {
	lifespan := float64(u.Last.Sub(u.First)) / float64(24*time.Hour)
	return max(min(lifespan, float64(u.Samples)/samplesPerDay), 0)
}

func (u *Usage) add(s Sample, w *window) {
	u.cpu.Add(s.CPU, minSampleWeight, s.Time)
	if s.Time.After(w.killed) {
		w.add(u.memory, s.Memory, s.Time)
	}
	u.Samples++
	if u.First.IsZero() || s.Time.Before(u.First) {
		u.First = s.Time
	}
	if s.Time.After(u.Last) {
		u.Last = s.Time
	}
}

// window is the present peakInterval of one container of one pod.
type window struct {
	last time.Time // of the last sample
	end  time.Time
	peak float64 // bytes
	// counted is true while the histogram has the peak.
	counted bool
	// killed is when the container was last killed out of memory.
	killed time.Time
}

// add keeps one sample an interval in the histogram, the peak, at the interval's end: a higher one takes the
// place of the one before. (model/container.go: addMemorySample)
func (w *window) add(h *Histogram, bytes float64, t time.Time) {
	if w.end.IsZero() || w.end.Sub(t) > peakInterval { // at first, or after a clock that was wrong
		w.end, w.peak, w.counted = t, 0, false
	}
	switch {
	case !t.Before(w.end):
		w.end = w.end.Add(t.Sub(w.end).Truncate(peakInterval) + peakInterval)
	case !w.counted:
	case bytes <= w.peak:
		return
	default:
		h.Subtract(w.peak, 1, w.end)
	}
	w.peak, w.counted = bytes, true
	h.Add(bytes, 1, w.end)
}

// forget takes the peak of the present interval out of the histogram: what a container used before it was killed
// for it is answered by the floor. Were it usage as any other, each raise would be the measure of the next.
func (w *window) forget(h *Histogram) {
	if w.counted {
		h.Subtract(w.peak, 1, w.end)
	}
	w.peak, w.counted = 0, false
}

// valid reports whether a figure can be one of a container.
func valid(value float64) bool { return value >= 0 && !math.IsInf(value, 0) }
