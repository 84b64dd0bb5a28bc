package broker

import (
	"context"
	"time"
)

// Age is how long ago a message was pushed. The zero Age is unknown, which is not young.
type Age struct {
	D     time.Duration
	Known bool
}

// AgeOf is an age that is known.
func AgeOf(d time.Duration) Age { return Age{D: d, Known: true} }

// AgeReader is a driver whose broker tells how old messages are.
type AgeReader interface {
	// OldestAges returns, for each queue and in their order, the age of the oldest message that waits. It does not count
	// messages that are in flight, delayed or dead.
	//
	// An age is exact to the second, or a lower bound, where the driver's doc comment says so. It is never more than the
	// time since the message was pushed. It is unknown where no message waits, where the queue does not exist or cannot,
	// and where the broker has not told it.
	//
	// An error means that no age is known. It does not break the driver: Depths goes on as before. Each driver documents
	// how many round trips a call takes.
	OldestAges(ctx context.Context, queues []string) ([]Age, error)
}
