package scaling

import (
	"fmt"
	"strconv"
)

// formula turns messages into workers. Where no message was ever counted it leaves the number as it was.
func formula(in Input, n int64, _ *Decision) (int64, Note) {
	if !in.Queue.read() {
		return n, Note{Why: "the queue has not been read yet"}
	}
	messages := in.Queue.demand()
	asked := in.Scale.asked(messages)
	return asked, Note{
		Why: fmt.Sprintf("%s for %s", count(asked, "worker", "workers"), count(messages, "message", "messages")),
		Inputs: []Fact{
			{"waiting", in.Queue.Waiting.String()},
			{"inFlight", in.Queue.InFlight.String()},
			{"leaving", strconv.FormatInt(in.Queue.Leaving, 10)},
			{"workersPerMessage", in.Scale.PerMessage.RatString()},
		},
	}
}

// String is the number, or that it is not known.
func (c Count) String() string {
	if !c.Known {
		return "unknown"
	}
	return strconv.FormatInt(c.N, 10)
}

// count is a number and what there are so many of.
func count(n int64, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + several
}
