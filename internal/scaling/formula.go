package scaling

import (
	"fmt"
	"strconv"
)

// formula turns messages into workers. Where no message was ever counted it leaves the number as it was.
func formula(in Input, n int64, d *Decision) (int64, Note) {
	if !in.Queue.read() {
		return n, Note{Why: "the queue has not been read yet"}
	}
	messages := in.Queue.demand()
	asked := in.Scale.asked(messages)
	d.Asked = asked
	asks := "the queue asks for"
	if in.Queue.Stale {
		asks = "when it was last read, the queue asked for"
	}
	return asked, Note{
		Why: fmt.Sprintf("%s %s: %s", asks, count(asked, "worker", "workers"), in.sum(messages, asked)),
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
