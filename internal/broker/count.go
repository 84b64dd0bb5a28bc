package broker

// Count is a number that a broker has told, or has not. The zero Count is unknown, which is not zero.
type Count struct {
	N     int64
	Known bool
}

// CountOf is a number that is known.
func CountOf(n int64) Count { return Count{N: n, Known: true} }

// Depth is how much work a queue has.
type Depth struct {
	// Waiting counts the messages that no worker has taken. An answer without it is an error.
	Waiting Count
	// InFlight counts the messages that workers have taken and not acknowledged, Held included. While it is not known,
	// the number of workers does not fall: what is not known is not zero. A broker that never tells it has fleets that
	// only grow.
	InFlight Count
	// Held counts the messages in flight by the PodName of the Query's Workers, zeros included, whatever the broker knows
	// them by: a driver finds the worker by its HostName or PodIP, and puts down its PodName. A worker that is not in it
	// may be busy: the broker cannot tell, or cannot tell it from another. It is nil where the broker keeps no messages by
	// worker; see CountsAll.
	Held map[string]int64
	// HeldLate is true where Held is of an earlier moment than the counts: a task may begin and end between two of its
	// moments, and is in none of them.
	HeldLate bool
	// Settled counts the messages that workers have ever settled with the broker: it grows with each that is done. It may
	// begin anew. Most brokers keep no such count.
	Settled Count
	// CountsAll is true where the broker itself counts, in InFlight, every message that was taken and not acknowledged,
	// however it was taken. It is false where a message is counted only because its worker has put it somewhere: a worker
	// that takes messages otherwise is in no count then.
	CountsAll bool
}
