package scaling

import (
	"strings"
	"time"
)

// Step names a step of the chain.
type Step string

// The steps, in order.
const (
	Formula   Step = "Formula"
	Window    Step = "Window"
	Clamp     Step = "Clamp"
	Finishing Step = "Finishing"
	Hold      Step = "Hold"
)

// Note says what a step has made of the number, and why.
type Note struct {
	Step Step
	// From is the number before the step, To the one after it.
	From, To int64
	// Why is the reason, in words for a person. Where the step has changed the number it is a part of Decision.Why.
	Why string
	// Inputs are what the step went by.
	Inputs []Fact
	// Until is when time alone may change what the step says, zero for never.
	Until time.Time
}

// Fact is one thing that a step went by.
type Fact struct{ Name, Value string }

// Note is the note of a step, zero where the decision has none.
func (d Decision) Note(of Step) Note {
	for _, n := range d.Notes {
		if n.Step == of {
			return n
		}
	}
	return Note{}
}

// Why is why there shall be so many workers, in one line that adds up: what the queue asks for, and then each step that
// has made another number of it.
func (d Decision) Why() string {
	var parts []string
	for _, n := range d.Notes {
		if n.Step == Formula || n.From != n.To || (n.Step == Finishing && d.Finishing > 0) {
			parts = append(parts, n.Why)
		}
	}
	return strings.Join(parts, "; ")
}
