package planner

import (
	"math"
	"math/big"
)

// Range is how many workers there may be, and how many a message asks for.
type Range struct {
	Min, Max int
	// PerMessage is the number of workers per message, above 0. It is a fraction because 0.1 x 30 must
	// be 3, and in floating point is more.
	PerMessage *big.Rat
}

// Limit says which end of the range overrode the queue.
type Limit string

// The limits.
const (
	Unlimited Limit = ""
	AtMinimum Limit = "AtMinimum"
	AtMaximum Limit = "AtMaximum"
)

// Asked is ceil(messages x PerMessage): how many workers the queue asks for. Messages are those waiting and
// those in flight: a busy worker is no capacity for a waiting message.
func (r Range) Asked(messages int64) int64 {
	return ceil(new(big.Rat).Mul(new(big.Rat).SetInt64(max(messages, 0)), r.PerMessage))
}

// Clamp is how many workers there shall be when the queue asks for so many.
func (r Range) Clamp(asked int64) (desired int, limit Limit) {
	switch {
	case asked > int64(r.Max):
		return r.Max, AtMaximum
	case asked < int64(r.Min):
		return r.Min, AtMinimum
	default:
		return int(asked), Unlimited
	}
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
