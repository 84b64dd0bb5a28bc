package scaling

import (
	"math"
	"math/big"
	"time"
)

// Input is everything that a decision depends on.
type Input struct {
	Now   time.Time
	Scale Scale
	Queue Queue
	// EndAfterTask is true where workers end by themselves after their task. Workers is how many are there then and count
	// against the number.
	EndAfterTask bool
	Workers      int
	// Before is the number of workers that was last decided on before the Memory began, as a status has it. It stands
	// for what the Memory does not reach back to.
	Before int
	// Memory is the one of the decision before, zero for the first.
	Memory Memory
}

// Scale is what a user asks for: how many workers there may be, and how many a message needs.
type Scale struct {
	Min, Max int
	// PerMessage is the number of workers per message, above 0. It is a fraction because 0.1 x 30 must
	// be 3, and in floating point is more.
	PerMessage *big.Rat
	// ByWorker is true where the user gave the inverse, messages per worker: words show that.
	ByWorker bool
	// DownDelay is how long a smaller number must be enough before it counts.
	DownDelay time.Duration
}

// Queue is the last good reading of the queue.
type Queue struct {
	// Waiting counts the messages that no worker has taken, InFlight those that workers are busy with.
	Waiting, InFlight Count
	// Leaving is how many of InFlight are in the hands of workers that are on their way out.
	Leaving int64
	// Stale is true where a newer read has failed.
	Stale bool
}

// Count is a number that a broker may not know. One that is not known is not zero.
type Count struct {
	N     int64
	Known bool
}

// Counted is a Count that is known.
func Counted(n int64) Count { return Count{N: n, Known: true} }

// read reports whether there is anything to go by.
func (q Queue) read() bool { return q.Waiting.Known || q.InFlight.Known }

// counted reports whether the counts are all known.
func (q Queue) counted() bool { return q.Waiting.Known && q.InFlight.Known }

// certain reports whether the counts are all known, and of now.
func (q Queue) certain() bool { return q.counted() && !q.Stale }

// demand is the number of messages that need a worker: all, but for those that a worker on its way out is busy with,
// because they need no other.
func (q Queue) demand() int64 { return max(q.messages()-max(q.Leaving, 0), 0) }

func (q Queue) messages() int64 { return sum(max(q.Waiting.N, 0), max(q.InFlight.N, 0)) }

// asked is ceil(messages x PerMessage): how many workers so many messages need. Messages are those waiting and those
// in flight: a busy worker is no capacity for a waiting message.
func (s Scale) asked(messages int64) int64 {
	return ceil(new(big.Rat).Mul(new(big.Rat).SetInt64(max(messages, 0)), s.PerMessage))
}

// ceil rounds up, and stops at the largest int64.
func ceil(x *big.Rat) int64 {
	quotient, remainder := new(big.Int).QuoRem(x.Num(), x.Denom(), new(big.Int))
	if remainder.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	if !quotient.IsInt64() {
		return math.MaxInt64
	}
	return quotient.Int64()
}

// sum adds two numbers that are not negative, and stops at the largest int64.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
