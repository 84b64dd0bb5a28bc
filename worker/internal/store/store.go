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
	// Element is the element, or the beginning of one that is Long.
	Element string
	// Size is how long the element is.
	Size int
	// Older is about how many in the worker's own list are older: where one that is named by its head is looked for.
	Older int
}

// Parsed is the item that an element of the worker's list is.
func Parsed(element string) Item { return ParsedBeginning(element, len(element)) }

// ParsedBeginning is the item that an element of the worker's list is, of which there is only the beginning.
func ParsedBeginning(beginning string, size int) Item {
	return Item{Task: redislist.ParseBeginning(beginning, size), Element: beginning, Size: size}
}

// StepBytes is about how much one step moves: it is to end within its time-out over a slow line, and to hold up neither
// the broker nor the worker's memory.
const StepBytes = 1 << 20

// Long reports whether the task is too long for one step. It is reserved without its payload, which is fetched by and
// by, and comes to its end by its head. One that was reserved so stays so, though it is some bytes shorter once its
// attempt begins.
func (i Item) Long() bool { return i.Size > StepBytes || !i.Whole() }

// Whole reports whether the payload is there.
func (i Item) Whole() bool { return len(i.Element) == i.Size }

// Name is how the broker is told which element it is.
func (i Item) Name() string {
	if i.Long() {
		return i.ByHead()
	}
	return i.Element
}

// ByHead is the same by its head, for a step that carries more than it.
func (i Item) ByHead() string { return redislist.ByHead(i.Element, i.Older) }

// Letter is a dead letter.
type Letter struct {
	Line string
	// Field is where its payload is kept apart; empty where the line has it.
	Field string
}

// Waiting is an item that is to wait so long.
type Waiting struct {
	Item
	For time.Duration
}

// Burial is an item that is to be a dead letter.
type Burial struct {
	Item
	Letter Letter
}

// As is the item as t, which differs from its task in what changes with each reservation.
func (i Item) As(t redislist.Task) Item {
	element := redislist.Restamped(i.Element, t.Stamp())
	return Item{Task: t, Element: element, Size: i.Size + len(element) - len(i.Element), Older: i.Older}
}

// Listed is an element of the worker's own list: its head (see redislist.Head), and about how many are older.
type Listed struct {
	Head  string
	Older int
}

// Page is a part of the worker's own list, the oldest first.
type Page struct {
	Listed []Listed
	// Next is how many elements come before the next page, and Length how many there are.
	Next, Length int
}

// Store moves tasks between a queue, one worker's list of what it has in hand, the tasks that are to wait and
// the dead letters. Each move is atomic, and one that is asked for twice happens once. An error means that
// nobody knows whether the move has happened.
type Store interface {
	// Reserve takes up to n tasks of those that wait, and waits for none. A task that may have ended a worker
	// before comes alone. They are StepBytes long at most; one that alone is longer comes without its payload. What is reserved ahead is more than can be begun: if the worker ends, no attempt at it is counted.
	Reserve(ctx context.Context, n int, ahead bool) ([]Item, error)
	// Take waits for a task, at most so long.
	Take(ctx context.Context, wait time.Duration) (item Item, ok bool, err error)
	// Fetch has a part of the element of an item that is not Whole, StepBytes at most, after the first so many bytes. It
	// is not ok when the task was not the worker's any more.
	Fetch(ctx context.Context, item Item, after int) (part string, ok bool, err error)
	// Length is how many tasks the worker's own list holds.
	Length(ctx context.Context) (int, error)
	// Held has what the worker's own list holds, a page at a time. The page before the first is the zero Page. While
	// nothing is added to the list its pages leave out nothing that is still there; they may list it twice.
	Held(ctx context.Context, before Page) (Page, error)
	// Adopt reserves what the worker's own list holds and nobody has in hand. Of what another process had reserved, one
	// more attempt has crashed. What this process had reserved was never begun, because the answer to its reservation did
	// not arrive. What is Long comes without its payload. It is not ok when the task was gone.
	Adopt(ctx context.Context, listed Listed) (item Item, ok bool, err error)
	// Begin is asked before the attempt at a task that is Unbegun: if the worker ends from now on, an attempt has
	// crashed. It is not ok when the task was not the worker's any more.
	Begin(ctx context.Context, item Item) (begun Item, ok bool, err error)

	// Done acknowledges tasks, and tells of each whether it was still the worker's.
	Done(ctx context.Context, items ...Item) (was []bool, err error)
	// Retry has tasks wait, with one failure more.
	Retry(ctx context.Context, waits ...Waiting) (was []bool, err error)
	// Bury makes dead letters of tasks.
	Bury(ctx context.Context, burials ...Burial) (was []bool, err error)
	// PutOff has tasks wait as if they had never been reserved.
	PutOff(ctx context.Context, waits ...Waiting) (was []bool, err error)
	// Return puts tasks back at the head of the queue, as if they had never been reserved; the last is the
	// next to be taken.
	Return(ctx context.Context, items ...Item) (was []bool, err error)
	// Release gives what the worker's own list holds and nobody has in hand back to the head of the queue, the last of
	// listed first, until it was StepBytes long, and tells of how many that is true now. What this process had reserved
	// was never begun; what another had is as it left it.
	Release(ctx context.Context, listed ...Listed) (n int, err error)

	// Promote has tasks that are due wait no longer, and tells when the next is: 0 at once, less than 0 never.
	Promote(ctx context.Context) (next time.Duration, err error)
	Close()
}

// Failed is an item that has failed once more and waits.
func Failed(i Item) Item {
	t := ended(i.Task)
	t.Failed++
	return i.As(t)
}

// ended is a task an attempt at which has come to an end, and did not end its worker: it is no suspect any more, and has
// as many attempts behind it.
func ended(t redislist.Task) redislist.Task {
	t.Failed += t.Crashed
	t.Crashed, t.Reservation = 0, ""
	return t
}

// Begun is an item under the reservation of an attempt.
func Begun(i Item, reservation string) Item {
	t := i.Task
	t.Reservation = reservation
	return i.As(t)
}

// Returned is an item that waits as if it had never been reserved. One that may have ended a worker, and was not begun,
// keeps its mark; of one that was begun, and is Unbegun no more, the attempt has ended.
func Returned(i Item) Item {
	if i.Unbegun() {
		return i
	}
	return i.As(ended(i.Task))
}
