package scaling

import (
	"fmt"
	"strconv"
)

// Limit says which end of the range overrode the queue.
type Limit string

// The limits.
const (
	Unlimited Limit = ""
	AtMinimum Limit = "AtMinimum"
	AtMaximum Limit = "AtMaximum"
)

// clamp keeps the number within the range.
func clamp(in Input, n int64, d *Decision) (int64, Note) {
	within, limit := in.Scale.within(n)
	note := Note{
		Why:    "the number is within the range",
		Inputs: []Fact{{"minReplicas", strconv.Itoa(in.Scale.Min)}, {"maxReplicas", strconv.Itoa(in.Scale.Max)}},
	}
	switch limit {
	case AtMaximum:
		note.Why = fmt.Sprintf("maxReplicas allows %d", in.Scale.Max)
	case AtMinimum:
		note.Why = fmt.Sprintf("minReplicas keeps %d", in.Scale.Min)
	case Unlimited:
	}
	if !in.Queue.read() {
		return within, note // the queue has asked for nothing that a limit could override
	}
	d.Limit = limit
	return within, note
}

// within is the number of the range that is nearest to n.
func (s Scale) within(n int64) (int64, Limit) {
	switch {
	case n > int64(s.Max):
		return int64(s.Max), AtMaximum
	case n < int64(s.Min):
		return int64(s.Min), AtMinimum
	default:
		return n, Unlimited
	}
}
