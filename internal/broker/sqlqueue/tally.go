package sqlqueue

import (
	"fmt"
	"strconv"

	"github.com/quickube/qscaler/internal/broker"
)

// Kinds of the rows that answer for a table.
const (
	// Waiting and Running rows have one number for each queue.
	Waiting = 'w'
	Running = 'r'
	// Held rows have one for each worker that is busy.
	Held = 'h'
)

// Tally adds up the rows that answer for a table.
type Tally struct {
	queries []broker.Query
	// limit is where the server stopped to count, and groups how many workers of a queue it told at most.
	limit   int64
	groups  int
	holders []*holders // nil where the table does not say who is busy
	waiting []broker.Count
	running []broker.Count
}

// NewTally begins with no rows.
func NewTally(queries []broker.Query, b Block) *Tally {
	t := &Tally{
		queries: queries, limit: b.CountLimit, groups: Groups(queries),
		waiting: make([]broker.Count, len(queries)), running: make([]broker.Count, len(queries)),
	}
	if b.Table != nil && b.Table.WorkerColumn != "" {
		t.holders = make([]*holders, len(queries))
		for i, q := range queries {
			t.holders[i] = newHolders(q.Workers)
		}
	}
	return t
}

// Groups is how many workers of each queue the server is asked for at most. Those that are gone without having cleared
// their rows are among them.
func Groups(queries []broker.Query) int {
	most := 0
	for _, q := range queries {
		most = max(most, len(q.Workers))
	}
	return 100 + 3*most
}

// Strange is an answer that the statement cannot have.
type Strange struct{ What string }

func (s Strange) Error() string { return s.What }

// Add takes a row: of which queue, counted from 1, its kind, the worker, nil for NULL, and the number.
func (t *Tally) Add(queue, kind, worker, number []byte) error {
	i, err := strconv.Atoi(string(queue))
	if err != nil || i < 1 || i > len(t.queries) {
		return Strange{"the server answered of a queue that it was not asked for"}
	}
	i--
	n, err := count(number, t.limit)
	if err != nil {
		return err
	}
	switch {
	case string(kind) == string(Waiting) && !t.waiting[i].Known:
		t.waiting[i] = broker.CountOf(n)
	case string(kind) == string(Running) && !t.running[i].Known:
		t.running[i] = broker.CountOf(n)
	case string(kind) == string(Held) && t.holders != nil && t.holders[i].rows < t.groups:
		t.holders[i].add(worker, n)
	default:
		return Strange{"the server sent a row that it was not asked for"}
	}
	return nil
}

// count reads a number that the server has counted.
func count(number []byte, most int64) (int64, error) {
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, Strange{fmt.Sprintf("the server sent no count from 0 to %d", most)}
	}
	return n, nil
}

// Depth is the depth of a queue, counted from 0, once all rows are there.
func (t *Tally) Depth(i int) (broker.Depth, error) {
	if !t.waiting[i].Known || !t.running[i].Known {
		return broker.Depth{}, Strange{"the server did not answer of all queues"}
	}
	d := broker.Depth{Waiting: t.waiting[i], InFlight: t.running[i]}
	if t.holders != nil {
		h := t.holders[i]
		d.Held = h.held(h.rows >= t.groups || d.InFlight.N >= t.limit)
	}
	return d, nil
}
