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

// Size is clamp(ceil(messages x PerMessage), Min, Max). Messages are those waiting and those in flight: a
// busy worker is no capacity for a waiting message. It also returns what the queue asked for.
func Size(messages int64, r Range) (desired int, asked int64, limit Limit) {
	asked = ceil(new(big.Rat).Mul(new(big.Rat).SetInt64(max(messages, 0)), r.PerMessage))
	switch {
	case asked > int64(r.Max):
		return r.Max, asked, AtMaximum
	case asked < int64(r.Min):
		return r.Min, asked, AtMinimum
	default:
		return int(asked), asked, Unlimited
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
