package sqlqueue

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/quickube/qscaler/internal/broker"
)

// The columns that a query has, by their names. Others are not looked at.
const (
	queueColumn    = "queue"
	waitingColumn  = "waiting"
	inFlightColumn = "in_flight"
	oldestColumn   = "oldest_seconds"
)

// mostMessages is more than any queue has.
const mostMessages = 1 << 50

// Rows takes the rows that answer a query.
type Rows struct {
	queries []broker.Query
	byName  map[string]int
	// columns are the places of the columns, -1 for one that is not there.
	queue, waiting, inFlight, oldest int
	depths                           []broker.Depth
	errs                             []error
	ages                             []broker.Age
	seen                             []bool
}

// NewRows begins with no rows. Each queue may be asked for once.
func NewRows(queries []broker.Query) *Rows {
	r := &Rows{
		queries: queries, byName: make(map[string]int, len(queries)),
		depths: make([]broker.Depth, len(queries)), errs: make([]error, len(queries)),
		ages: make([]broker.Age, len(queries)), seen: make([]bool, len(queries)),
	}
	for i, q := range queries {
		r.byName[q.Queue] = i
	}
	return r
}

// MostRows is how many rows the server is asked for at most.
func (r *Rows) MostRows() int { return len(r.queries) + 1 }

// Columns takes the names of the columns, before the rows.
func (r *Rows) Columns(names []string) error {
	r.queue, r.waiting, r.inFlight, r.oldest = -1, -1, -1, -1
	places := map[string]*int{queueColumn: &r.queue, waitingColumn: &r.waiting, inFlightColumn: &r.inFlight, oldestColumn: &r.oldest}
	for i, name := range names {
		if place := places[name]; place != nil {
			if *place >= 0 {
				return &broker.Error{Reason: broker.ReasonNotFound, Message: fmt.Sprintf("the query has two columns of the name %s", name)}
			}
			*place = i
		}
	}
	for _, needed := range []string{queueColumn, waitingColumn, inFlightColumn} {
		if *places[needed] < 0 {
			return &broker.Error{Reason: broker.ReasonNotFound, Message: fmt.Sprintf("the query has no column of the name %s; it must have %s, %s and %s", needed, queueColumn, waitingColumn, inFlightColumn)}
		}
	}
	return nil
}

// HasAges reports whether the query tells how old messages are.
func (r *Rows) HasAges() bool { return r.oldest >= 0 }

// Add takes a row, in which nil is NULL. A row whose numbers are none fails its own queue.
func (r *Rows) Add(values [][]byte) error {
	if len(values) <= max(r.queue, r.waiting, r.inFlight, r.oldest) {
		return Strange{"the server sent a row that is too short"}
	}
	i, asked := r.byName[string(values[r.queue])]
	switch {
	case !asked:
		return Strange{"the query has a row of a queue that it was not asked for; it must keep to the queues of its parameter"}
	case r.seen[i]:
		return Strange{fmt.Sprintf("the query has two rows of the queue %q; it must have one for each", r.queries[i].Queue)}
	}
	r.seen[i] = true
	r.depths[i], r.errs[i] = r.depth(values)
	if r.HasAges() {
		r.ages[i] = AgeOf(values[r.oldest])
	}
	return nil
}

func (r *Rows) depth(values [][]byte) (broker.Depth, error) {
	waiting, err := count(values[r.waiting], mostMessages)
	if err != nil {
		return broker.Depth{}, badNumber(waitingColumn, values[r.waiting])
	}
	d := broker.Depth{Waiting: broker.CountOf(waiting)}
	if values[r.inFlight] == nil {
		return d, nil
	}
	inFlight, err := count(values[r.inFlight], mostMessages)
	if err != nil {
		return broker.Depth{}, badNumber(inFlightColumn, values[r.inFlight])
	}
	d.InFlight = broker.CountOf(inFlight)
	return d, nil
}

func badNumber(column string, value []byte) error {
	is := "NULL"
	if value != nil {
		is = strconv.Quote(broker.Words(string(value), broker.Secret{}))
	}
	return &broker.Error{Reason: broker.ReasonWrongType, Message: fmt.Sprintf("the query has %s as %s, which is no number of messages; use coalesce where it may be NULL, and a whole number", is, column)}
}

// Depth is the answer of a queue, counted from 0. A queue without a row is empty.
func (r *Rows) Depth(i int) (broker.Depth, error) {
	if !r.seen[i] {
		return broker.Depth{Waiting: broker.CountOf(0), InFlight: broker.CountOf(0)}, nil
	}
	return r.depths[i], r.errs[i]
}

// Age is the age of a queue, counted from 0.
func (r *Rows) Age(i int) broker.Age { return r.ages[i] }

// longestAge is more than any message is old, in seconds.
const longestAge = 1 << 32

// AgeOf reads an age in seconds. It is unknown where it is NULL, no number, or one that cannot be.
func AgeOf(value []byte) broker.Age {
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > longestAge {
		return broker.Age{}
	}
	return broker.AgeOf(time.Duration(seconds * float64(time.Second)))
}
