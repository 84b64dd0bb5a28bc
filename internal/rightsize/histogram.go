package rightsize

import (
	"math"
	"time"
)

const (
	// HalfLife is the time in which a sample loses half of its weight. (model/aggregations_config.go:
	// DefaultCPUHistogramDecayHalfLife, DefaultMemoryHistogramDecayHalfLife)
	HalfLife = 24 * time.Hour

	// minSampleWeight is the weight of one CPU sample; a memory peak weighs 1. (model/aggregations_config.go)
	minSampleWeight = 0.1
	// epsilon is the weight below which a bucket counts as empty. (model/aggregations_config.go)
	epsilon = 0.001 * minSampleWeight
	// maxDecayExponent bounds the weights: a sample that many half-lives after the reference time moves
	// the reference. (util/decaying_histogram.go)
	maxDecayExponent = 100
	// maxAhead is how many half-lives the reference time may lie after a sample: rounding and a peak at the end
	// of its interval make 2. More is the trace of a clock that was wrong; what it left would outweigh all
	// samples until that time has come, so it is forgotten.
	maxAhead = 4
)

// Histogram is how a value was distributed, recent samples weighing more than old ones: a sample of time t
// has the weight w x 2^((t - reference) / HalfLife). Only relative weights matter, so the reference can be
// moved at any time by scaling all of them. (util/decaying_histogram.go, util/histogram.go)
type Histogram struct {
	buckets   Buckets
	weights   []float64
	total     float64
	reference time.Time
}

// NewHistogram returns an empty histogram.
func NewHistogram(b Buckets) *Histogram {
	return &Histogram{buckets: b, weights: make([]float64, b.Count())}
}

// Add adds a sample. Its time may lie before that of the last one.
func (h *Histogram) Add(value, weight float64, t time.Time) {
	if h.reference.Sub(t) > maxAhead*HalfLife {
		*h = *NewHistogram(h.buckets)
	}
	w := weight * h.decay(t)
	h.weights[h.buckets.Find(value)] += w
	h.total += w
}

// Subtract takes a sample back that was added with the same value, weight and time.
func (h *Histogram) Subtract(value, weight float64, t time.Time) {
	w, bucket := weight*h.decay(t), h.buckets.Find(value)
	if w > h.weights[bucket]-epsilon {
		w = h.weights[bucket]
	}
	h.weights[bucket] -= w
	h.total = max(h.total-w, 0)
}

// Empty reports whether nothing was added that still weighs anything.
func (h *Histogram) Empty() bool {
	_, last := h.span()
	return last < 0
}

// Percentile is the end of the first bucket up to which at least the fraction p of all weight lies, 0 < p <= 1;
// 0 for an empty histogram. It is off by one bucket's width at most, which is 5 % of the value and the first
// bucket's width, and never below the value. (util/histogram.go)
func (h *Histogram) Percentile(p float64) float64 {
	first, last := h.span()
	if last < 0 {
		return 0
	}
	sum, threshold, bucket := 0.0, p*h.total, first
	for ; bucket < last; bucket++ {
		if sum += h.weights[bucket]; sum >= threshold {
			break
		}
	}
	return h.buckets.End(bucket)
}

// span is the first and the last bucket that is not empty; last is -1 where all are.
func (h *Histogram) span() (first, last int) {
	first, last = -1, -1
	for i, w := range h.weights {
		if w < epsilon {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
	}
	return first, last
}

func (h *Histogram) decay(t time.Time) float64 {
	if h.reference.IsZero() || t.Sub(h.reference) > maxDecayExponent*HalfLife {
		h.moveReference(t)
	}
	return math.Exp2(float64(t.Sub(h.reference)) / float64(HalfLife))
}

// moveReference keeps the reference a multiple of the half-life, so that scaling is exact.
func (h *Histogram) moveReference(t time.Time) {
	to := t.Round(HalfLife)
	if !h.reference.IsZero() {
		factor := math.Exp2(math.Round(float64(h.reference.Sub(to)) / float64(HalfLife)))
		for i := range h.weights {
			h.weights[i] *= factor
		}
		h.total *= factor
	}
	h.reference = to
}
