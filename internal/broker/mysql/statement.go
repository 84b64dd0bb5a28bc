package mysql

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/quickube/qscaler/internal/broker"
	"github.com/quickube/qscaler/internal/broker/sqlqueue"
)

// statement is one SELECT with its parameters.
type statement struct {
	sql    string
	values []driver.Value
}

// longestWorker is how many characters are read of a worker's name: one more than a pod's name can have.
const longestWorker = 254

// quote makes an identifier of a name that was checked.
func quote(name string) string { return "`" + name + "`" }

// condition is a part of a statement with its parameters, but that the queue's name comes first.
type condition struct {
	sql    string
	states []driver.Value
}

// table makes statements about a table. Each queue has a SELECT of its own that ends at the limit: the server reads no more
// rows for a queue than that. Each name is compared as a parameter, by the collation of the column: one of a list would have
// a collation of its own, and no index.
type table struct {
	sqlqueue.Block
	columns
}

// waiting is the condition of a message that waits.
func (t table) waiting() condition {
	c := condition{sql: "m." + quote(t.Table.LockedAtColumn) + " IS NULL"}
	if t.Table.StateColumn != "" {
		c = t.in(t.Table.WaitingStates)
	}
	if t.Table.RunAtColumn != "" {
		now := "NOW(6)"
		if t.runAtUnix {
			now = "UNIX_TIMESTAMP()"
		}
		runAt := "m." + quote(t.Table.RunAtColumn)
		c.sql += fmt.Sprintf(" AND (%s IS NULL OR %s <= %s)", runAt, runAt, now)
	}
	return c
}

// running is the condition of a message that is in flight.
func (t table) running() condition {
	if t.Table.StateColumn != "" {
		return t.in(t.Table.RunningStates)
	}
	return condition{sql: "m." + quote(t.Table.LockedAtColumn) + " IS NOT NULL"}
}

func (t table) in(states []string) condition {
	c := condition{sql: "m." + quote(t.Table.StateColumn) + " IN (" + places(len(states)) + ")"}
	for _, state := range states {
		if n, err := strconv.ParseInt(state, 10, 64); t.numbered && err == nil {
			c.states = append(c.states, n)
		} else {
			c.states = append(c.states, state)
		}
	}
	return c
}

func places(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// of looks at the messages of one queue that meet a condition.
func (t table) of(what string, c condition) string {
	return fmt.Sprintf("SELECT %s FROM %s AS m WHERE m.%s = ? AND %s", what, quote(t.Table.Name), quote(t.Table.QueueColumn), c.sql)
}

// Primary is the kind of the row that says whether the server takes writes.
const primary = 'p'

// depths asks how many messages there are, and first of all whether the server takes writes.
func (t table) depths(queries []broker.Query) statement {
	waiting, running := t.waiting(), t.running()
	count := func(kind rune, c condition) string {
		return fmt.Sprintf(", '%c', NULL, COUNT(*) FROM (%s LIMIT %d) AS c", kind, t.of("1", c), t.CountLimit)
	}
	parts := []struct {
		sql, end string
		condition
	}{{"SELECT %d" + count(sqlqueue.Waiting, waiting), "", waiting}, {"SELECT %d" + count(sqlqueue.Running, running), "", running}}
	if t.Table.WorkerColumn != "" {
		worker := fmt.Sprintf("LEFT(m.%s, %d) AS worker", quote(t.Table.WorkerColumn), longestWorker)
		parts = append(parts, struct {
			sql, end string
			condition
		}{fmt.Sprintf("(SELECT %%d, '%c', c.worker, COUNT(*) FROM (%s LIMIT %d) AS c GROUP BY c.worker LIMIT %d)",
			sqlqueue.Held, t.of(worker, running), t.CountLimit, sqlqueue.Groups(queries)), "", running})
	}
	var s statement
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT 0 AS queue, '%c' AS kind, NULL AS worker, @@global.read_only AS n", primary)
	for i, q := range queries {
		for _, part := range parts {
			b.WriteString("\nUNION ALL\n")
			fmt.Fprintf(&b, part.sql, i+1)
			s.values = append(append(s.values, q.Queue), part.states...)
		}
	}
	s.sql = b.String()
	return s
}

// ages asks how old the oldest waiting message of each queue is, in seconds.
func (t table) ages(queries []broker.Query) statement {
	created := "MIN(m." + quote(t.Table.CreatedAtColumn) + ")"
	age := fmt.Sprintf("TIMESTAMPDIFF(MICROSECOND, %s, NOW(6)) / 1000000", created)
	if t.createdAtUnix {
		age = fmt.Sprintf("CAST(UNIX_TIMESTAMP() AS SIGNED) - CAST(%s AS SIGNED)", created)
	}
	var s statement
	waiting := t.waiting()
	parts := make([]string, len(queries))
	for i, q := range queries {
		parts[i] = t.of(fmt.Sprintf("%d, %s", i+1, age), waiting)
		s.values = append(append(s.values, q.Queue), waiting.states...)
	}
	s.sql = strings.Join(parts, "\nUNION ALL\n")
	return s
}

// parameter is where the names of the queues stand in a query of the user's.
const parameter = "(?)"

// checkParameters makes sure that a query asks for the queues. A number sign begins a comment here.
func checkParameters(query string) error {
	switch n := strings.Count(query, parameter); {
	case strings.Contains(query, "#"):
		return errors.New("config.mysql: query must be one SELECT: it may have no comment, so no number sign, not even in a string; make it a view where you need that")
	case n == 0:
		return errors.New("config.mysql: query must use (?), which is the list of the queues' names, such as in WHERE queue IN (?)")
	case n != strings.Count(query, "?"):
		return errors.New("config.mysql: query may have a question mark only as (?), which is the list of the queues' names")
	}
	return nil
}

// queryStatement runs a query of the user's. As a part of another it can be nothing but one SELECT, and the rows that are
// sent are bounded. Each (?) becomes as many parameters as there are queues.
func queryStatement(query string, queries []broker.Query, most int) statement {
	s := statement{sql: fmt.Sprintf("SELECT * FROM (\n%s\n) AS q LIMIT %d", strings.ReplaceAll(query, parameter, "("+places(len(queries))+")"), most)}
	for range strings.Count(query, parameter) {
		for _, q := range queries {
			s.values = append(s.values, q.Queue)
		}
	}
	return s
}
