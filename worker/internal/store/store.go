// Package store is what a worker asks of its broker. There is one on Redis, and one in memory for users'
// tests; both pass the same tests.
package store

import (
	"context"
	"time"

	"github.com/quickube/qscaler/worker/redislist"
)

// Item is a task in hand: reserved in the worker's own list, under exactly this element.
type Item struct {
	redislist.Task
	Element string
}

// Parsed is the item that an element of the worker's list is.
func Parsed(element string) Item { return Item{Task: redislist.Parse(element), Element: element} }

// Store moves tasks between a queue, one worker's list of what it has in hand, the tasks that are to wait and
// the dead letters. Each move is atomic, and one that is asked for twice happens once. An error means that
// nobody knows whether the move has happened.
type Store interface {
	// Reserve takes up to n tasks of those that wait, and waits for none. A task that has ended a worker
	// before comes alone.
	Reserve(ctx context.Context, n int) ([]Item, error)
	// Take waits for a task, at most so long.
	Take(ctx context.Context, wait time.Duration) (item Item, ok bool, err error)
	// Held has the elements of the worker's own list, the oldest first.
	Held(ctx context.Context) ([]string, error)
	// Adopt reserves what the worker's own list holds and nobody has in hand. What another process had reserved
	// is lost once more; what this one had was never begun, because the answer to its reservation was lost. It
	// is not ok when it was not there any more.
	Adopt(ctx context.Context, element string) (item Item, ok bool, err error)

	// Done acknowledges tasks, and tells of each whether it was still the worker's.
	Done(ctx context.Context, items ...Item) (was []bool, err error)
	// Retry has a task wait, with one failure more.
	Retry(ctx context.Context, item Item, wait time.Duration) (was bool, err error)
	// Bury makes a task a dead letter.
	Bury(ctx context.Context, item Item, letter string) (was bool, err error)
	// Return gives tasks back to the head of the queue, as if they had never been reserved; the last is the
	// next to be taken.
	Return(ctx context.Context, items ...Item) (was []bool, err error)

	// Promote has tasks that are due wait no longer, and tells when the next is: 0 at once, less than 0 never.
	Promote(ctx context.Context) (next time.Duration, err error)
	Close()
}

// Failed is the element of a task that has failed once more and waits.
func Failed(item Item) string {
	if item.ID == "" {
		return item.Element // it was never reserved
	}
	t := item.Task
	t.Failed++
	t.Reservation = ""
	return t.Element()
}

// Returned is the element of a task that waits as if it had never been reserved.
func Returned(item Item) string {
	if item.ID == "" {
		return item.Element // it was never reserved
	}
	t := item.Task
	t.Reservation = ""
	return t.Element()
}

// UniqueHeader is the header that names the uniqueness key of a task that has one.
const UniqueHeader = "qscaler-unique"
