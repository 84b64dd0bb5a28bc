package rightsize

import "math"

// Buckets are the value ranges of a histogram, each wider than the one before by the same ratio. Bucket 0
// begins at 0 and is as wide as first; bucket n begins at first x (ratio^n - 1) / (ratio - 1), and the last
// one begins at the maximum or just above and has no end. (util/histogram_options.go)
type Buckets struct {
	first, ratio float64
	count        int
}

const (
	// bucketGrowth makes each bucket 5 % wider than the one before. (model/aggregations_config.go)
	bucketGrowth = 1.05

	// firstCPUBucket is in cores. It is the documented figure; the newest recommender begins at 0.001.
	firstCPUBucket = 0.01
	maxCPU         = 1000 // cores

	firstMemoryBucket = 1e7  // bytes
	maxMemory         = 1e12 // bytes
)

// CPUBuckets are in cores: the first is 0.01 wide, the last begins at 1000. (model/aggregations_config.go)
func CPUBuckets() Buckets { return newBuckets(maxCPU, firstCPUBucket, bucketGrowth) }

// MemoryBuckets are in bytes: the first is 10 MB wide, the last begins at 1 TB. (model/aggregations_config.go)
func MemoryBuckets() Buckets { return newBuckets(maxMemory, firstMemoryBucket, bucketGrowth) }

func newBuckets(maximum, first, ratio float64) Buckets {
	b := Buckets{first: first, ratio: ratio}
	b.count = int(math.Ceil(b.position(maximum))) + 1
	return b
}

// Count is the number of buckets.
func (b Buckets) Count() int { return b.count }

// Find is the bucket of a value; what is out of range belongs to the first or the last.
func (b Buckets) Find(value float64) int {
	if !(value >= b.first) { // also what is no number
		return 0
	}
	return int(min(b.position(value), float64(b.count-1))) // the position may be infinite
}

// Start is where a bucket begins, 0 <= bucket < Count().
func (b Buckets) Start(bucket int) float64 {
	return b.first * (math.Pow(b.ratio, float64(bucket)) - 1) / (b.ratio - 1)
}

// End is where a bucket ends; for the last, which has no end, where it begins.
func (b Buckets) End(bucket int) float64 { return b.Start(min(bucket+1, b.count-1)) }

// position is the inverse of Start.
func (b Buckets) position(value float64) float64 {
	return math.Log(value*(b.ratio-1)/b.first+1) / math.Log(b.ratio)
}
