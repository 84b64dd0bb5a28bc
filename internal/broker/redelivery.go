package broker

import (
	"context"
	"time"
)

// Redelivery is what a broker does with a message that a worker has, and has not acknowledged for long.
type Redelivery struct {
	// Known is false where the broker has not told it.
	Known bool
	// After is how long a worker may have a message: then the broker delivers it to another, while the first may be at it. 0 is
	// no limit.
	After time.Duration
	// Setting names what sets After, such as "ack_wait of the consumer".
	Setting string
	// Unless is when it does not come to that, in the words behind "unless"; "" where it does in any case.
	Unless string
	// Again is true where messages in flight were delivered more than once.
	Again bool
	// Deliveries is how often a message is delivered before the broker gives it up; 0 is no bound.
	Deliveries int64
}

// RedeliveryReader is a driver whose broker limits for how long a worker may have a message.
type RedeliveryReader interface {
	// Redeliveries returns the limits of each queue, in their order. It is called seldom, of queues whose depth was read.
	//
	// An error means that nothing is known. It does not break the driver: Depths goes on as before. Each driver documents
	// how many round trips a call takes.
	Redeliveries(ctx context.Context, queries []Query) ([]Redelivery, error)
}
